"""torchaudio without its native extension, which PyPI's build has for CUDA only.

With a torch for the CPU ``import torchaudio`` ends in ``OSError: libc10_cuda.so``. The engines need its Python parts
alone (mel filters, Kaldi's filter bank), and those work without the extension.
"""

import importlib
import logging
import sys
from types import ModuleType

_LOGGER = logging.getLogger(__name__)


def import_torchaudio() -> ModuleType:
    """Import torchaudio, with its extension where that loads; call it before a package that imports torchaudio."""
    try:
        return importlib.import_module("torchaudio")
    except OSError as error:
        _LOGGER.info("torchaudio's native extension does not load (%s); its Python parts do", error)
    for name in [name for name in sys.modules if name.split(".")[0] == "torchaudio"]:
        del sys.modules[name]
    extension, loader = ModuleType("torchaudio._extension"), ModuleType("torchaudio._extension.utils")
    # What torchaudio 2.11 asks of its extension: these names, and nothing more until one of its kernels is called.
    vars(extension).update(
        {
            "__path__": [],
            "_IS_TORCHAUDIO_EXT_AVAILABLE": False,
            "_IS_ALIGN_AVAILABLE": False,
            "_check_cuda_version": _nothing_to_check,
            "fail_if_no_align": _as_it_is,
            "utils": loader,
        }
    )
    sys.modules[extension.__name__], sys.modules[loader.__name__] = extension, loader
    return importlib.import_module("torchaudio")


def _nothing_to_check() -> None:
    return None


def _as_it_is(function: object) -> object:
    return function
