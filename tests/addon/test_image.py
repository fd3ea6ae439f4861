"""The add-on's image without Docker: the steps of its Dockerfile in a real Debian, then its services in it.

It takes minutes and some hundred megabytes of packages, so it runs only where it is asked for: as root, with
debootstrap, and WYOMING_VOICE_TEST_DEBIAN naming a folder. A Debian that is there already is used again.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

ADDON = ROOT / "addon"
START = Path(__file__).resolve().parent / "container" / "start.py"
PACKAGES = "bash,ca-certificates,curl,jq"
"""What the base image of Home Assistant has, of what the steps and bashio use."""


def run(*command: str | Path, **environ: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environ}, timeout=800
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def steps() -> str:
    """The RUN steps of the Dockerfile, as a script."""
    found = re.findall(r"^RUN (.*?[^\\])$", (ADDON / "Dockerfile").read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found
    return "\n".join(found)


@pytest.fixture
def debian(tmp_path: Path) -> Path:
    named = os.environ.get("WYOMING_VOICE_TEST_DEBIAN")
    if not named:
        pytest.skip(
            "takes minutes; to run it, as root: WYOMING_VOICE_TEST_DEBIAN=/var/tmp/debian ./run.sh test tests/addon"
        )
    if os.getuid() != 0 or shutil.which("debootstrap") is None:
        pytest.skip("needs root and debootstrap (Debian: apt install debootstrap)")
    root = Path(named)
    if not (root / "etc" / "debian_version").exists():
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", "trixie", root)
    for name in ("resolv.conf", "ssl/certs/ca-certificates.crt"):  # the mirror may have a certificate of its own
        shutil.copy(Path("/etc") / name, root / "etc" / name)
    return root


@pytest.mark.timeout(1800)
def test_the_steps_of_the_dockerfile_make_an_image_that_starts_and_registers(debian: Path, tmp_path: Path) -> None:
    run("sh", ROOT / "scripts" / "local-addon.sh", tmp_path)
    (debian / "tmp" / "addon").mkdir(exist_ok=True)
    shutil.copy(tmp_path / "wyoming_voice" / "source.tar.gz", debian / "tmp" / "addon")
    (debian / "tmp" / "steps").write_text(steps(), "utf-8")
    kept = {name: value for name, value in os.environ.items() if name in ("PIP_INDEX_URL", "PIP_CERT")}
    inside = "mount --bind /proc $0/proc && mount --rbind /dev $0/dev && exec chroot $0 bash -e -o pipefail /tmp/steps"
    run(
        *("unshare", "--mount", "env", "-i", *(f"{name}={value}" for name, value in kept.items())),
        *("PATH=/opt/wyoming-voice/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive"),
        *("BUILD_VERSION=0.1.0", "bash", "-c", inside, debian),
    )
    shutil.copytree(ADDON / "rootfs", debian, dirs_exist_ok=True)

    case = {
        "options": {"languages": ["ru", "en"], "install": ["rhvoice"], "http_token": "correct horse"},
        "image": True,
    }
    report: dict[str, Any] = json.loads(
        run("unshare", "--mount", "--net", sys.executable, START, debian, json.dumps(case))
    )
    assert [told["path"] for told in report["told"]] == ["/discovery"], report["log"]
    assert report["page"] == {"ingress": [200, 200], "others": [401]}
    assert (report["status"], report["exitcode"], report["halted"]) == (0, 0, False)
    assert "speaks ru: rhvoice" in report["log"]
    assert "Installing the engine" not in report["log"]  # RHVoice is in the image
