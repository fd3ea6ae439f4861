"""What a user can set, as typed settings: engines, texts, recordings. ``config_load.py`` reads them.

``docs/config.md`` has a table of every key; a test keeps the two the same.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field, JsonValue

from .config_door import Auth, Bridge, Discovery, Limits, Mqtt, Outputs, Server
from .config_type import (
    Count,
    HttpAddress,
    Language,
    Languages,
    Seconds,
    SecondsOrNever,
    SecondsOrZero,
    Section,
    ServerAddresses,
    Share,
    WorkerCount,
    Workers,
    empty,
)


class EngineRay(Section):
    """What each worker of an engine gets of a Ray cluster."""

    num_gpus: Share = Field(default=0.0, description="With `launcher: ray`: GPUs of each worker; 0.5: two share one")
    num_cpus: Share = Field(default=1.0, description="CPUs of each worker")
    resources: Annotated[dict[str, Share], BeforeValidator(empty)] = Field(
        default={}, description="What else the node must have, by the names that its `ray start --resources` gave"
    )
    runtime_env: Annotated[dict[str, JsonValue], BeforeValidator(empty)] = Field(
        default={}, description="Ray's runtime environment: `pip`, `env_vars`, … of the worker"
    )
    data_dir: str | None = Field(default=None, description="data_dir as nodes see it; null: by the same path as here")


class EngineSettings(Section):
    """One engine: how many workers, when they come and go, and the engine's own options."""

    enabled: bool = Field(default=True, description="Whether it is used at all")
    type: str | None = Field(
        default=None, description="The engine in the table, when the key is a name of your own (a second Piper, say)"
    )
    uri: ServerAddresses | None = Field(
        default=None, description="A Wyoming server elsewhere, `tcp://HOST:PORT` or `unix:///PATH`, or a list of such"
    )
    task: Literal["tts", "asr"] | None = Field(
        default=None, description="With `uri`: what to use it for; null: what its `describe` says"
    )
    languages: Languages | None = Field(
        default=None, description="Use it for these languages only; null: all that it knows"
    )
    voices: tuple[str, ...] | None = Field(default=None, description="With `uri`: its voices to offer; null: all")
    workers: WorkerCount = Field(
        default=Workers(),
        description="Workers at most, or `{min: N, max: N}`; with `uri`: requests at once to each address",
    )
    launcher: Literal["process", "ray"] = Field(
        default="process", description="Who starts its workers: this machine (`process`), or a Ray cluster (`ray`)"
    )
    ray: EngineRay = EngineRay()
    preload: bool = Field(default=False, description="Start a worker with the server, not with the first request")
    ttl: SecondsOrNever = Field(
        default=600.0,
        description="Seconds until an idle worker is ended; 0: at once; `never`, as for silero-stress if left out",
    )
    device: str = Field(default="cpu", min_length=1, description="Where its model runs: `cpu`, `cuda:0`, …")
    start_timeout: Seconds | None = Field(
        default=None,
        description="Seconds that a worker may take to load its model; null: 120, or 600 to compile it or for vLLM",
    )
    step_timeout: Seconds = Field(default=60.0, description="Seconds that the engine may take for its next step")
    options: Annotated[dict[str, JsonValue], BeforeValidator(empty)] = Field(
        default={}, description="The engine's own settings; config.yml shows those of each"
    )


_USUAL: Final = EngineSettings()


class Ray(Section):
    """The Ray cluster for engines with `launcher: ray`."""

    address: str | None = Field(
        default=None,
        min_length=1,
        description="`HOST:6379`, the head of a cluster of which this machine is a node, or `ray://HOST:10001`",
    )


class Device(Section):
    """One processor that engines share."""

    running: Count = Field(default=1, description="Workers that may compute on it at once, over all engines")
    loaded: Count | None = Field(
        default=None,
        description="Workers that fit into its memory; an idle one makes room for another; null: any number",
    )


class LanguageModel(Section):
    """A language model for texts before they are spoken and after they were heard."""

    use_llm_tts: bool = Field(default=False, description="Have it rewrite texts before they are spoken")
    use_llm_stt: bool = Field(default=False, description="Have it mend transcripts")
    settings: Path = Field(
        default=Path("configs/llm/settings.yml"),
        description="Where it is and how it is asked; `prompts` is beside it; relative to the folder of config.yml",
    )


class Text(Section):
    """What is done to a text before it is spoken."""

    normalize: bool = Field(
        default=True,
        description="Spell out numbers, units, dates, abbreviations and foreign letters before they are spoken",
    )
    stress: bool = Field(
        default=True,
        description="Mark stressed vowels, where `silero-stress` is installed and the voice understands the marks",
    )
    stress_wait: SecondsOrZero = Field(
        default=2.0,
        description="Seconds that a sentence waits while `silero-stress` is loading; then it has no marks",
    )
    llm: LanguageModel = LanguageModel()


class Hearing(Section):
    """How recordings are listened to."""

    silence_db: Annotated[float, Field(ge=-120.0, le=0.0)] | None = Field(
        default=-60.0,
        description="dBFS: quieter recordings (or 22 s of one) give no text and reach no engine; null: none",
    )
    endpointing: bool = Field(
        default=False,
        description="Wyoming: find the end of speech here, not where the client ends its audio",
    )
    ahead: bool = Field(
        default=True, description="Recognise at a pause what was said, so that it is known when the audio ends"
    )
    vad: Literal["silero", "webrtc"] = Field(default="silero", description="What tells speech from other sound")
    terms: tuple[str, ...] = Field(
        default=(), description="Names and words to expect in every recording, for engines that can be told"
    )
    correct_terms: bool = Field(
        default=False, description="Take what was nearly one of the expected names and words for it"
    )
    digits: bool = Field(default=False, description="Write numbers of a transcript in digits")


class Settings(Section):
    """Everything that a user can set."""

    languages: Languages = Field(
        default=("ru", "en"), description="Your languages in order; only they are offered, the first is the default"
    )
    voice: str | None = Field(
        default=None,
        description="The voice for everybody who names none; null: the best installed one for the language",
    )
    voices: Annotated[dict[Language, str], BeforeValidator(empty)] = Field(
        default={}, description="The voice for each language, where a request names none"
    )
    prefer: tuple[str, ...] = Field(
        default=(), description="Engines in your order; the others follow in ours, which `./run.sh engines` shows"
    )
    data_dir: Path = Field(
        default=Path("data"), description="Folder of voices, weights and outputs, relative to the folder of config.yml"
    )
    server: Server = Server()
    http: HttpAddress = Field(
        default="127.0.0.1:8013", description="Where the HTTP bridge listens, `HOST:PORT`, or `off`"
    )
    auth: Auth = Auth()
    bridge: Bridge = Bridge()
    outputs: Outputs = Outputs()
    discovery: Discovery = Discovery()
    mqtt: Mqtt = Mqtt()
    text: Text = Text()
    listening: Hearing = Hearing()
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="How much is logged")
    limits: Limits = Limits()
    engines: Annotated[dict[str, EngineSettings], BeforeValidator(empty)] = Field(
        default={},
        description="Engines by name; one that is not named is used with these defaults when it is installed",
    )
    devices: Annotated[dict[str, Device], BeforeValidator(empty)] = Field(
        default={}, description="Limits of devices by name; a device that is not named has none"
    )
    ray: Ray = Ray()

    def engine(self, name: str) -> EngineSettings:
        """Return what is set for an engine, or the defaults."""
        return self.engines.get(name, _USUAL)
