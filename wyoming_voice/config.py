"""config.yml and the environment, as typed settings; a mistake is named by its place, with a guess at what was meant.

``docs/config.md`` has a table of every key; a test keeps the two the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator

from .config_mistake import guess, names, sentences
from .config_old import in_new_form, is_old, translate
from .config_source import Key, NotYaml, Source, environment, read_yaml
from .config_type import (
    BrokerAddress,
    Bytes,
    Characters,
    Count,
    HttpAddress,
    Language,
    Languages,
    ListenAddress,
    Password,
    Seconds,
    SecondsOrNever,
    SecondsOrZero,
    ServerAddresses,
    Share,
    Token,
    TopicPrefix,
    WorkerCount,
    Workers,
    empty,
)
from .engines.table import engines
from .errors import BadRequest

LARGEST: Final = 1024 * 1024
"""Bytes of the largest config.yml that is read."""


class ConfigError(BadRequest):
    """The configuration cannot be used; every mistake is a line of its text."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _nothing_set(cls, value: object) -> object:
        return empty(value)


class Server(_Section):
    """Where Wyoming clients connect."""

    uri: ListenAddress = Field(
        default="tcp://0.0.0.0:10300",
        description="Where the server listens: `tcp://HOST:PORT` (port 0: any free one) or `unix:///PATH`",
    )
    name: str = Field(
        default="wyoming-voice", min_length=1, description="The program name that clients see; keep it stable"
    )
    drain_timeout: SecondsOrZero = Field(
        default=10.0, description="Seconds that speech under way may take to finish when the server is stopped"
    )


class Limits(_Section):
    """What one client may ask for; all of it is enforced while reading."""

    header: Bytes = Field(default=65536, description="Bytes of an event's header, the JSON line")
    data: Bytes = Field(default=1048576, description="Bytes of an event's data, the JSON after the header")
    payload: Bytes = Field(default=1048576, description="Bytes of an event's payload, the audio")
    text: Characters = Field(default=100000, description="Characters to speak in one request")
    audio: Seconds = Field(default=1800.0, description="Seconds of audio to transcribe in one request")
    connections: Count = Field(default=512, description="Connections at once")
    connections_per_address: Count = Field(default=256, description="Connections at once from one address")
    idle: Seconds = Field(default=600.0, description="Seconds that a connection may stay open without a request")
    event: Seconds = Field(default=30.0, description="Seconds that a client may take to send one event whole")
    input: Seconds = Field(default=120.0, description="Seconds that a request waits for the client's next event")
    write: Seconds = Field(default=30.0, description="Seconds that a client may take to read what it is sent")
    queue: Count = Field(default=64, description="Requests that may wait for one engine; the next is told `busy`")
    audio_ahead: Bytes = Field(default=2097152, description="Bytes of audio made ahead of a slow client, per request")
    recording: Seconds = Field(default=14400.0, description="Seconds of a recording that is uploaded as a file")
    upload: Bytes = Field(default=536870912, description="Bytes of a file that is uploaded")
    json_body: Bytes = Field(default=33554432, description="Bytes of a JSON body, references in base64 included")


class EngineRay(_Section):
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


class EngineSettings(_Section):
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
    start_timeout: Seconds = Field(default=120.0, description="Seconds that a worker may take to load its model")
    step_timeout: Seconds = Field(default=60.0, description="Seconds that the engine may take for its next step")
    options: Annotated[dict[str, JsonValue], BeforeValidator(empty)] = Field(
        default={}, description="The engine's own settings; config.yml shows those of each"
    )


class Ray(_Section):
    """The Ray cluster for engines with `launcher: ray`."""

    address: str | None = Field(
        default=None,
        min_length=1,
        description="`HOST:6379`, the head of a cluster of which this machine is a node, or `ray://HOST:10001`",
    )


class Device(_Section):
    """One processor that engines share."""

    running: Count = Field(default=1, description="Workers that may compute on it at once, over all engines")
    loaded: Count | None = Field(
        default=None,
        description="Workers that fit into its memory; an idle one makes room for another; null: any number",
    )


class Auth(_Section):
    """Who may use the HTTP bridge. Wyoming itself has no authentication."""

    tokens: tuple[Token, ...] = Field(
        default=(), description="Secrets of 8 characters or more, each of which lets a client in; none: everybody may"
    )


class Tls(_Section):
    """HTTPS, with a certificate of your own."""

    certificate: Path | None = Field(default=None, description="The certificate and its chain, PEM; null: plain HTTP")
    key: Path | None = Field(default=None, description="Its private key, PEM; null: it is in the same file")


class Bridge(_Section):
    """How the HTTP bridge trusts others."""

    open_without_token: bool = Field(
        default=False, description="Listen on other addresses than this machine's own although there is no token"
    )
    cors: tuple[str, ...] = Field(
        default=(), description="Other sites whose pages may use it, such as `https://example.org`"
    )
    recent_texts: bool = Field(
        default=False, description="Show what was said and heard in the list of recent requests; kept in memory only"
    )
    ingress: bool = Field(default=False, description="Trust Home Assistant's ingress (in the add-on only)")
    tls: Tls = Tls()


class Outputs(_Section):
    """Files that requests leave behind."""

    folder: Path | None = Field(default=None, description="Where they are; null: `outputs` in data_dir")
    keep_hours: Seconds = Field(default=24.0, description="Hours until a file is removed")
    keep_bytes: Bytes = Field(default=1073741824, description="Bytes of all files; the oldest go first")
    save_stt: bool = Field(default=False, description="Keep transcripts too (`POST /stt`)")
    windows_paths: bool = Field(default=False, description="Under WSL: name files as Windows opens them, too")


class MqttTls(_Section):
    """How the MQTT broker is known, and how it knows this server."""

    ca: Path | None = Field(
        default=None, description="Certificates of the authorities that are trusted, PEM; null: the system's"
    )
    certificate: Path | None = Field(
        default=None, description="This server's certificate, PEM, where the broker wants one"
    )
    key: Path | None = Field(default=None, description="Its private key, PEM; null: it is in the same file")
    insecure: bool = Field(default=False, description="Believe any certificate; for trying things out")


class Mqtt(_Section):
    """The MQTT front door: speaking and hearing by topics, and a device in Home Assistant."""

    broker: BrokerAddress | None = Field(
        default=None, description="The broker: `mqtt://HOST:PORT`, `mqtts://HOST:PORT` (TLS) or `HOST:PORT`; null: off"
    )
    username: str | None = Field(default=None, description="The user name that the broker wants")
    password: Password | None = Field(default=None, repr=False, description="Its password; better in the environment")
    tls: MqttTls = MqttTls()
    prefix: TopicPrefix = Field(default="wyoming_voice", description="What its topics begin with, one per server")
    discovery_prefix: TopicPrefix = Field(
        default="homeassistant", description="Where Home Assistant looks for devices, or `off`"
    )
    hermes: bool = Field(default=False, description="Also understand Rhasspy's `hermes/tts` and `hermes/asr`")
    inline: Bytes = Field(
        default=1048576, description="Bytes of one message of audio; longer speech comes as several WAV files"
    )
    recording: Bytes = Field(default=33554432, description="Bytes of a recording to transcribe")
    queue: Count = Field(
        default=256, description="Messages that wait for the broker while it is away; the oldest go first"
    )


class Discovery(_Section):
    """How Home Assistant finds this server by itself."""

    zeroconf: bool = Field(
        default=True, description="Announce it by zeroconf, unless it listens on this machine's own address only"
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=63,
        description="Its name on the network; keep it stable; null: `server.name` and the machine's name",
    )


class LanguageModel(_Section):
    """A language model for texts before they are spoken and after they were heard."""

    use_llm_tts: bool = Field(default=False, description="Have it rewrite texts before they are spoken")
    use_llm_stt: bool = Field(default=False, description="Have it mend transcripts")
    settings: Path = Field(
        default=Path("configs/llm/settings.yml"),
        description="Where it is and how it is asked; `prompts` is beside it; relative to the folder of config.yml",
    )


class Text(_Section):
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


class Hearing(_Section):
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


class Settings(_Section):
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
        return self.engines.get(name, EngineSettings())


def load(path: Path | None, environ: Mapping[str, str], notices: list[str] | None = None) -> Settings:
    """Read the settings: the defaults, over them the file (None: no file), over it the environment.

    ``data_dir`` comes back absolute. A file of the older tool is understood; ``notices`` gets a text that shows its new
    form. Raises ConfigError with every mistake there is, one a line.
    """
    source = Source("the defaults") if path is None else read(path)
    if is_old(source):
        moved = translate(source)
        if notices is not None:
            notices.append(f"{path} has keys of an older tool. In their place (`./run.sh config migrate` writes it):")
            notices.append(in_new_form(moved))
    environment(source, environ, _names)
    found = [*_unknown_engines(source.values), *_unknown_devices(source.values), *_not_preferred(source.values)]
    found += _no_cluster(source.values)
    try:
        settings = Settings.model_validate(source.values)
    except ValidationError as error:
        found = [*sentences(error, Settings), *found]
    else:
        settings = _placed(settings, (path.parent if path else Path()).absolute())
    for key, text in found:
        source.note(key, text)
    if source.mistakes:
        raise ConfigError("\n".join(str(mistake) for mistake in source.mistakes))
    return settings


def _placed(settings: Settings, folder: Path) -> Settings:
    """Make every path absolute: they are relative to the folder of config.yml."""

    def place(path: Path | None) -> Path | None:
        return None if path is None else folder / path.expanduser()

    data_dir = folder / settings.data_dir.expanduser()
    outputs = settings.outputs.model_copy(update={"folder": place(settings.outputs.folder) or data_dir / "outputs"})
    tls = settings.bridge.tls
    tls = tls.model_copy(update={"certificate": place(tls.certificate), "key": place(tls.key)})
    bridge = settings.bridge.model_copy(update={"tls": tls})
    shown = settings.mqtt.tls
    shown = shown.model_copy(
        update={"ca": place(shown.ca), "certificate": place(shown.certificate), "key": place(shown.key)}
    )
    mqtt = settings.mqtt.model_copy(update={"tls": shown})
    llm = settings.text.llm.model_copy(update={"settings": place(settings.text.llm.settings)})
    text = settings.text.model_copy(update={"llm": llm})
    placed = {"data_dir": data_dir, "outputs": outputs, "bridge": bridge, "mqtt": mqtt, "text": text}
    return settings.model_copy(update=placed)


def read(path: Path) -> Source:
    """Read a file as it stands; raises ConfigError."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file; name another with --config, or leave it out") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > LARGEST:
        raise ConfigError(f"{path}: is larger than 1 MiB; settings are not")
    try:
        values, source = read_yaml(content.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8 text; save it as UTF-8") from error
    except NotYaml as error:
        where = f"{path}:{error.line}:{error.column}" if error.line else str(path)
        raise ConfigError(f"{where}: {error}") from error
    if values is not None and not isinstance(values, dict):
        raise ConfigError(f"{path}: must consist of keys and values, such as 'languages: [ru, en]'")
    source.values = values or {}
    return source


def _names(key: Key, there: Iterable[str]) -> Iterable[str]:
    known = names(Settings, key, there)
    return [*engines(), *known] if key == ("engines",) else known


def _named(values: Mapping[str, Any], section: str) -> Mapping[str, Mapping[str, Any]]:
    found = values.get(section)
    return {str(k): v if isinstance(v, dict) else {} for k, v in found.items()} if isinstance(found, dict) else {}


def _unknown_engines(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    for name, engine in _named(values, "engines").items():
        key = ("engines", name)
        kind, uri = engine.get("type"), engine.get("uri")
        if kind and uri:
            yield (*key, "type"), "an engine has a type or a uri, not both"
        if uri is None:
            only = [part for part in ("task", "voices") if engine.get(part) is not None]
            yield from (((*key, part), "is only for an engine with a uri") for part in only)
        if isinstance(kind, str) and kind not in engines():
            yield (*key, "type"), f"no such engine{_which(kind)}"
        elif kind is None and uri is None and name not in engines():
            yield key, f"no such engine{_which(name, '; a name of your own needs a type or a uri')}"


def _no_cluster(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Find engines that are to run on a Ray cluster that is not named, or elsewhere already."""
    ray = values.get("ray")
    address = ray.get("address") if isinstance(ray, dict) else None
    for name, engine in _named(values, "engines").items():
        if engine.get("launcher") == "ray":
            if engine.get("uri") is not None:
                yield ("engines", name, "launcher"), "an engine with a uri runs there; leave one of the two out"
            elif address is None:
                yield ("engines", name, "launcher"), "no cluster is known; say where it is in ray.address"


def _not_preferred(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Find names in ``prefer`` that no engine has."""
    known = [*engines(), *_named(values, "engines")]
    wanted = values.get("prefer")
    for number, name in enumerate(wanted if isinstance(wanted, list) else (), 1):
        if isinstance(name, str) and name not in known:
            yield ("prefer", f"[{number}]"), f"no such engine{_which(name)}"


def _which(name: str, more: str = "") -> str:
    return guess(name, engines()) or f"; there are {', '.join(engines())}{more}"


def _unknown_devices(values: Mapping[str, Any]) -> Iterator[tuple[Key, str]]:
    """Find engines on a device that is not among those listed; where none is listed, any name will do."""
    known = [*_named(values, "devices"), "cpu"]
    for name, engine in _named(values, "engines").items():
        device = engine.get("device")
        if isinstance(device, str) and len(known) > 1 and device not in known:
            yield ("engines", name, "device"), f"no such device {device!r} under devices{guess(device, known)}"
