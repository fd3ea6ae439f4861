"""Long recordings on this machine as it is, and without a network."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.process import DEADLINE
from tests.test_doctor import config_for, doctor
from wyoming_voice import rehearsal
from wyoming_voice.activity import Detector
from wyoming_voice.listening import HEARD
from wyoming_voice.rehearsal import Recorded, recorded, rehearse

SCRIPT = ROOT / "scripts" / "prepare_stt_longform_offline.sh"


@pytest.mark.parametrize("detector", ["silero", "webrtc"])
async def test_long_recording_is_cut_and_judged(detector: Detector) -> None:
    finding = await rehearse(detector)
    assert finding.mark == "✓", finding.text


def test_recording_is_longer_than_an_engine_takes_at_once() -> None:
    assert len(recorded().pcm) > 25 * HEARD.byte_rate


async def test_detector_that_is_mistaken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded()
    silent = Recorded(whole.pcm, np.zeros_like(whole.speech))
    monkeypatch.setattr(rehearsal, "recorded", lambda: silent)
    finding = await rehearse("silero")
    assert finding.mark == "✗"
    assert "pip install" in finding.text


async def test_cut_in_the_middle_of_speech_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = recorded()
    everywhere = Recorded(whole.pcm, np.ones_like(whole.speech))
    monkeypatch.setattr(rehearsal, "recorded", lambda: everywhere)
    assert "where somebody speaks" in (await rehearse("silero")).text


async def test_doctor_rehearses_with_the_detector_of_the_settings(tmp_path: Path) -> None:
    report = await doctor(tmp_path, config_for(tmp_path, listening={"vad": "webrtc"}))
    assert report.line("long recordings")[0] == "✓"


def test_script_checks_it_without_a_network() -> None:
    unplug = subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True, check=False)
    done = subprocess.run(
        [SCRIPT],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✓ long recordings:")
    assert bool(done.stderr) == bool(unplug.returncode), "it says when the network could not be unplugged"


def test_script_says_what_to_do_without_a_python() -> None:
    done = subprocess.run(
        [SCRIPT], env={**os.environ, "PYTHON": "/nowhere/python"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "./run.sh" in done.stderr
