"""The language model's settings and prompts: files that are read again when they change, without a restart."""

from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import EngineUnavailable

Task = Literal["tts", "stt"]
_SHIPPED: Final = tuple(  # in a wheel, in a checkout: for those who wrote none of their own
    Path(__file__).resolve().parent / place for place in ("llm_prompts", "../configs/llm/prompts")
)
_LARGEST: Final = 256 * 1024  # bytes of such a file


class LlmSettings(BaseModel):
    """``settings.yml``: where the model is and how it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(pattern=r"^https?://")
    model: str = Field(min_length=1)
    api_key_env: str | None = None
    """The environment's variable that holds the key; None: none is needed."""
    temperature: Annotated[float, Field(ge=0, le=2)] | None = 0.2
    """None: the server's own."""
    first_token_timeout: Annotated[float, Field(gt=0, le=600)] = 3.0
    """Seconds until the model begins to answer."""
    timeout: Annotated[float, Field(gt=0, le=600)] = 15.0
    """Seconds for a whole answer."""
    max_tokens: Annotated[int, Field(ge=1)] | None = 512
    """None: the server's own."""


class LlmFiles:
    """``settings.yml`` and the folder ``prompts`` beside it. Raises EngineUnavailable with what is wrong with them."""

    def __init__(self, settings: Path) -> None:
        self._path = settings
        self._read: dict[Path, tuple[tuple[int, int], str]] = {}
        self._settings: tuple[str, LlmSettings] | None = None

    def settings(self) -> LlmSettings:
        """Return the settings as they are now."""
        text = self._text(self._path)
        if text is None:
            raise EngineUnavailable(f"There is no {self._path}: copy it from configs/llm, or set text.llm.settings.")
        if self._settings is None or self._settings[0] != text:
            self._settings = text, self._parse(text)
        return self._settings[1]

    def prompt(self, task: Task, language: str, **parts: str) -> str:
        """Return the prompt for a task in a language, else the English one, else those that come with the program.

        A line with ``{name}`` gets the part of this name, and is left out where that is empty.
        """
        folder = self._path.parent / "prompts"
        tags = (language.lower().replace("_", "-").partition("-")[0], "en")
        for path in (place / f"{task}.{tag}.txt" for place in (folder, *_SHIPPED) for tag in tags):
            text = self._text(path)
            if text is not None:
                return "\n".join(line for one in text.splitlines() if (line := _filled(one, parts)) is not None).strip()
        raise EngineUnavailable(f"There is no prompt {folder / f'{task}.{language}.txt'}: copy it from configs/llm.")

    def _parse(self, text: str) -> LlmSettings:
        try:
            return LlmSettings.model_validate(yaml.safe_load(text))
        except yaml.YAMLError as error:
            raise EngineUnavailable(f"{self._path} is not YAML: {' '.join(str(error).split())}") from None
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"])) or "it"
            raise EngineUnavailable(f"{self._path}: {where}: {first['msg']}") from None

    def _text(self, path: Path) -> str | None:
        """Read a file unless it is known already; None: there is none."""
        try:
            now = path.stat()
            stamp = now.st_mtime_ns, now.st_size
            known = self._read.get(path)
            if known is None or known[0] != stamp:
                if now.st_size > _LARGEST:
                    raise EngineUnavailable(f"{path} is larger than 256 KiB.")
                known = self._read[path] = stamp, path.read_text("utf-8-sig")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise EngineUnavailable(f"{path} cannot be read: {error}") from None
        return known[1]


def _filled(line: str, parts: dict[str, str]) -> str | None:
    for name, part in parts.items():
        if f"{{{name}}}" in line:
            if not part:
                return None
            line = line.replace(f"{{{name}}}", part)
    return line
