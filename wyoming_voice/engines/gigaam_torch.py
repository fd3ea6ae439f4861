"""GigaAM v2 in torch, by the ``gigaam`` package (https://github.com/salute-developers/GigaAM)."""

import collections
import pickle
import typing
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from wyoming_voice.errors import EngineUnavailable

from .gigaam_tokens import FRAME, Token
from .protocol import Options
from .torch_audio import import_torchaudio
from .torch_device import place

if TYPE_CHECKING:
    from torch import Tensor

_BATCH: Final = 8
_AHEAD: Final = 32
"""Frames that are looked at together for the next letter: one comes every 2 to 3, and a pause is one step."""

_CLASSES: Final = frozenset(
    f"gigaam.{name}"
    for name in (
        "preprocess.FeatureExtractor",
        "encoder.ConformerEncoder",
        "decoder.CTCHead",
        "decoder.RNNTHead",
        "decoding.CTCGreedyDecoding",
        "decoding.RNNTGreedyDecoding",
    )
)
"""What a checkpoint's configuration may have made: hydra calls whatever is named there, ``os.system`` too."""


class TorchGigaAM:
    """A model with its weights; float32 on a CPU, the encoder in half precision elsewhere, as upstream."""

    def __init__(self, checkpoint: Path, options: Options) -> None:
        """Load a checkpoint; raise EngineUnavailable when it is none, is not to be trusted, or the device fails."""
        try:
            import_torchaudio()
            import hydra.errors  # noqa: PLC0415
            import torch  # noqa: PLC0415
            from gigaam import GigaAMASR  # noqa: PLC0415
            from omegaconf.errors import OmegaConfBaseException  # noqa: PLC0415
        except (ImportError, OSError) as error:  # OSError: a native library that does not fit
            raise EngineUnavailable(f"gigaam does not load ({error}). Run: ./run.sh engines install gigaam") from error
        self._torch, device = torch, place(options).device
        failures = (hydra.errors.HydraException, OmegaConfBaseException, RuntimeError, OSError, KeyError, TypeError)
        try:
            saved = _read(checkpoint)
            saved["cfg"].encoder.flash_attn = False
            model = GigaAMASR(saved["cfg"]).eval()
            lost = set(model.load_state_dict(saved["state_dict"], strict=False).missing_keys)
            if absent := lost.intersection(dict(model.named_parameters())):
                raise EngineUnavailable(f"{checkpoint} is not complete, it lacks {min(absent)}. Download it again.")
            if device.type != "cpu":
                model.encoder.half()
            self._model: Any = model.to(device)
        except failures as error:
            raise EngineUnavailable(f"GigaAM cannot load {checkpoint} on {device}: {error}") from error
        self._device = device
        self._letters: Sequence[str] = model.decoding.tokenizer.vocab
        self._blank: int = model.decoding.blank_id
        # A CPU gains nothing by a batch, and without one a cancelled request costs no more than the piece under way.
        self.batch = 1 if device.type == "cpu" else _BATCH

    def recognise(self, pieces: Sequence[NDArray[np.float32]]) -> Iterator[Sequence[Token]]:
        """Encode the pieces together, then decode one after the other."""
        with self._torch.inference_mode():
            lengths = [len(samples) for samples in pieces]
            sound = np.stack([np.pad(samples, (0, max(lengths) - len(samples))) for samples in pieces])
            encoded, counts = self._model.forward(
                self._torch.from_numpy(sound).to(self._device), self._torch.tensor(lengths, device=self._device)
            )
            encoded = encoded.float()  # (pieces, width, frames)
        decode = self._transduce if hasattr(self._model.head, "joint") else self._collapse
        for piece, count in zip(encoded, counts.tolist(), strict=True):
            with self._torch.inference_mode():
                tokens = list(decode(piece[:, :count]))
            yield tokens

    def _token(self, letter: int, frame: int, log_probability: float) -> Token:
        return Token(self._letters[letter], frame * FRAME, log_probability)

    def _collapse(self, encoded: "Tensor") -> Iterator[Token]:
        """CTC: the likeliest letter of each frame, repetitions and blanks left out."""
        scores, letters = self._model.head(encoder_output=encoded[None])[0].max(dim=1)
        before = self._blank
        for frame, (score, letter) in enumerate(zip(scores.tolist(), letters.tolist(), strict=True)):
            if letter not in (before, self._blank):
                yield self._token(letter, frame, score)
            before = letter

    def _transduce(self, encoded: "Tensor") -> Iterator[Token]:
        """RNN-T, greedily, to the letter what the package's own loop gives.

        That one asks the prediction network again for every frame. It changes with letters only, so here each step
        compares it with many frames ahead, up to the first that is not blank.
        """
        joint, decoder = self._model.head.joint, self._model.head.decoder
        frames = joint.enc(encoded.T)  # (frames, hidden)
        predicted, state = decoder.predict(None, None)
        frame, here = 0, 0
        while frame < len(frames):
            ahead = joint.joint_net(frames[frame : frame + _AHEAD] + joint.pred(predicted)[0]).log_softmax(1)
            scores, letters = ahead.max(dim=1)
            spoken = (letters != self._blank).nonzero()
            step = int(spoken[0]) if len(spoken) else len(letters)
            here = here if step == 0 else 0
            frame += step
            if not len(spoken):
                continue
            letter = int(letters[step])
            yield self._token(letter, frame, float(scores[step]))
            predicted, state = decoder.predict(letters[step].reshape(1, 1), state)
            here += 1
            if here == self._model.decoding.max_symbols:
                frame, here = frame + 1, 0


def _read(path: Path) -> dict[str, Any]:
    """Read a checkpoint without running what it holds; raise EngineUnavailable for one that wants to run something.

    ``gigaam.load_model`` leaves that to torch's default, which refuses the configuration's classes since 2.6 and was no
    protection before. Here they are allowed by name.
    """
    import torch  # noqa: PLC0415
    from omegaconf import DictConfig, ListConfig, OmegaConf  # noqa: PLC0415
    from omegaconf.base import ContainerMetadata, Metadata  # noqa: PLC0415
    from omegaconf.nodes import AnyNode  # noqa: PLC0415

    known: list[Any] = [DictConfig, ListConfig, ContainerMetadata, Metadata, AnyNode]
    known += [typing.Any, dict, list, int, collections.defaultdict]
    try:
        with torch.serialization.safe_globals(known):
            saved: dict[str, Any] = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
            )
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()
        raise EngineUnavailable(
            f"{path} is not a checkpoint of GigaAM, or not only that, and was not loaded: it may run programs "
            f"({next((line.strip() for line in reason if 'GLOBAL' in line), reason[0])}). "
            "Delete it and run: ./run.sh engines install gigaam --weights"
        ) from error
    if not (isinstance(saved, dict) and isinstance(saved.get("cfg"), DictConfig)):
        raise EngineUnavailable(f"{path} is not a checkpoint of GigaAM: it has no configuration.")
    strangers = sorted(set(_targets(OmegaConf.to_container(saved["cfg"]))) - _CLASSES)
    if strangers:
        raise EngineUnavailable(
            f"{path} was not loaded: its configuration wants {strangers[0]} to be called, which no checkpoint of "
            "GigaAM does. Delete it and run: ./run.sh engines install gigaam --weights"
        )
    return saved


def _targets(node: object) -> Iterator[str]:
    """Walk the names of all that a configuration would have called."""
    if isinstance(node, dict):
        yield from (str(value) for key, value in node.items() if key == "_target_")
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _targets(child)
