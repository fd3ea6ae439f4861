"""What a user can set of the front doors: where they are, who may use them, and how much one client may ask for."""

from pathlib import Path

from pydantic import Field

from .config_type import (
    BrokerAddress,
    Bytes,
    Characters,
    Count,
    ListenAddress,
    Password,
    Seconds,
    SecondsOrZero,
    Section,
    Token,
    TopicPrefix,
)


class Server(Section):
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


class Limits(Section):
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


class Auth(Section):
    """Who may use the HTTP bridge. Wyoming itself has no authentication."""

    tokens: tuple[Token, ...] = Field(
        default=(), description="Secrets of 8 characters or more, each of which lets a client in; none: everybody may"
    )


class Tls(Section):
    """HTTPS, with a certificate of your own."""

    certificate: Path | None = Field(default=None, description="The certificate and its chain, PEM; null: plain HTTP")
    key: Path | None = Field(default=None, description="Its private key, PEM; null: it is in the same file")


class Bridge(Section):
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


class Outputs(Section):
    """Files that requests leave behind."""

    folder: Path | None = Field(default=None, description="Where they are; null: `outputs` in data_dir")
    keep_hours: Seconds = Field(default=24.0, description="Hours until a file is removed")
    keep_bytes: Bytes = Field(default=1073741824, description="Bytes of all files; the oldest go first")
    save_stt: bool = Field(default=False, description="Keep transcripts too (`POST /stt`)")
    windows_paths: bool = Field(default=False, description="Under WSL: name files as Windows opens them, too")


class MqttTls(Section):
    """How the MQTT broker is known, and how it knows this server."""

    ca: Path | None = Field(
        default=None, description="Certificates of the authorities that are trusted, PEM; null: the system's"
    )
    certificate: Path | None = Field(
        default=None, description="This server's certificate, PEM, where the broker wants one"
    )
    key: Path | None = Field(default=None, description="Its private key, PEM; null: it is in the same file")
    insecure: bool = Field(default=False, description="Believe any certificate; for trying things out")


class Mqtt(Section):
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


class Discovery(Section):
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
