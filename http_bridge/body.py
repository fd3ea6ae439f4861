"""What a client sends, read within its limits: JSON bodies and uploads."""

import asyncio
import tempfile
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO, Final, TypeVar
from urllib.parse import parse_qsl

from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ValidationError

from wyoming_voice.errors import BadRequest, Deadline, TooLarge
from wyoming_voice.wire import MOST_CONTAINERS

from .bridge import bridge_of
from .output import disk
from .problem import FieldError

M = TypeVar("M", bound=BaseModel)

_PIECE: Final = 256 * 1024
_FIELD: Final = 64 * 1024  # bytes of a form field that is no file
_MOST_FIELDS: Final = 64
_DAMAGED: Final = "The body is damaged or not complete."
_IN_MEMORY: Final = 1024 * 1024
_SLOWEST: Final = 1024  # bytes per second: less is no network, but somebody who wants to keep a connection
_MUCH: Final = 256 * 1024  # bytes of JSON that are parsed in a thread

# aiohttp warns of each with what the client wrote, and Python keeps every text that it has warned of, for ever.
for _odd in (BadContentDispositionHeader, BadContentDispositionParam):
    warnings.simplefilter("ignore", _odd)


async def read_json(request: web.Request, model: type[M]) -> M:
    """Read a JSON body as a model; raises BadRequest that names the field, and TooLarge."""
    content = bytearray()
    limit = bridge_of(request).settings.limits.json_body
    too_large = TooLarge(f"A JSON body may have {limit} bytes (limits.json_body).")
    brackets = 0
    if (request.content_length or 0) > limit:
        raise too_large
    async with _reading(request) as came:
        async for piece in request.content.iter_any():
            came(len(piece))
            content += piece
            if len(content) > limit:
                raise too_large
            brackets += piece.count(b"{") + piece.count(b"[")
            if brackets > MOST_CONTAINERS:
                raise TooLarge(f"A JSON body may have {MOST_CONTAINERS} opening brackets.")
    try:
        # As JSON, not as what json.loads makes of it: NaN and halves of surrogate pairs are no JSON.
        if len(content) > _MUCH:
            return await asyncio.to_thread(model.model_validate_json, content)
        return model.model_validate_json(content)
    except ValidationError as error:
        if error.errors()[0]["type"] == "json_invalid":
            raise BadRequest("The body must be a JSON object in UTF-8.") from None
        raise field_error(error) from None


def read_fields(fields: object, model: type[M]) -> M:
    """Read query or form fields as a model; raises BadRequest that names the field."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise field_error(error) from None


def field_error(error: ValidationError) -> FieldError:
    """Say which field is wrong, and how."""
    first = error.errors(include_url=False)[0]
    param = ".".join(map(str, first["loc"])) or None
    text = first["msg"].removeprefix("Value error, ")
    return FieldError(f"{param}: {text}" if param else text, param)


@dataclass(slots=True)
class Upload:
    """A form: its files, spooled to disk when they are large, and the other fields."""

    files: list[BinaryIO] = field(default_factory=list)
    fields: dict[str, str | list[str]] = field(default_factory=dict)

    def recording(self) -> BinaryIO:
        """Return the file; raises BadRequest when there was none."""
        if not self.files:
            raise FieldError("The form has no file: send it as multipart/form-data in the field 'file'.", "file")
        return self.files[0]


@asynccontextmanager
async def read_upload(request: web.Request, name: str = "file", *, most: int = 1) -> AsyncIterator[Upload]:
    """Read a multipart form with files; they are gone when the block is left. Raises BadRequest and TooLarge."""
    upload = Upload()
    if request.content_type == "application/x-www-form-urlencoded":  # what clients make of a form without files
        async with _reading(request) as came:
            await _read_pairs(request, upload, came)
        yield upload
        return
    if not request.content_type.startswith("multipart/"):
        raise BadRequest("Send a form: multipart/form-data with the recording in the field 'file'.")
    limit = bridge_of(request).settings.limits.upload
    if (request.content_length or 0) > most * limit + _MOST_FIELDS * _FIELD:
        raise TooLarge(f"A file may have {limit} bytes (limits.upload).")
    with ExitStack() as spools:

        def spool() -> BinaryIO:
            if len(upload.files) == most:
                raise FieldError(f"A form may have {'one' if most == 1 else most} '{name}'.", name)
            upload.files.append(spools.enter_context(_spooled()))
            return upload.files[-1]

        async with _reading(request) as came:
            await _read_parts(request, name, upload, spool, came)
        yield upload


@contextmanager
def _spooled() -> Iterator[BinaryIO]:
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        yield spool  # type: ignore[misc]  # a spool is a BinaryIO


@asynccontextmanager
async def _reading(request: web.Request) -> AsyncIterator[Callable[[int], None]]:
    """Read a body: what is wrong with it is the client's mistake. Tell what is yielded how many bytes more came."""
    if (packed := request.headers.get(hdrs.CONTENT_ENCODING, "identity")) != "identity":
        raise BadRequest(f"Send the body as it is: Content-Encoding {packed} is not understood.")
    seconds = bridge_of(request).settings.limits.input
    loop = asyncio.get_running_loop()
    patience = loop.time() + seconds  # a body that comes byte by byte ends it, though there is always some more
    try:
        async with asyncio.timeout(seconds) as deadline:

            def came(size: int) -> None:
                nonlocal patience
                patience += size / _SLOWEST
                deadline.reschedule(min(loop.time() + seconds, patience))

            yield came
    except TimeoutError:
        raise Deadline(f"Nothing of the request, or hardly anything, came for {seconds:g} s (limits.input).") from None
    except web.RequestPayloadError:
        request.protocol.close()
        request.content.feed_eof()  # or aiohttp reads on, and logs the client's mistake as its own
        raise BadRequest(_DAMAGED) from None
    except (HttpProcessingError, ValueError, RuntimeError, AssertionError, LookupError):
        raise BadRequest(_DAMAGED) from None  # what aiohttp's reader makes of damaged forms


async def _read_pairs(request: web.Request, upload: Upload, came: Callable[[int], None]) -> None:
    content = bytearray()
    async for piece in request.content.iter_any():
        came(len(piece))
        content += piece
        if len(content) > _FIELD:
            raise TooLarge(f"A form without files may have {_FIELD} bytes.")
    for name, value in parse_qsl(content.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS):
        _add(upload, name, value)


async def _read_parts(
    request: web.Request, name: str, upload: Upload, spool: Callable[[], BinaryIO], came: Callable[[int], None]
) -> None:
    parts = 0
    room = bridge_of(request).settings.limits.upload
    async for part in await request.multipart():
        parts += 1
        if parts > _MOST_FIELDS:
            raise TooLarge(f"A form may have {_MOST_FIELDS} fields.")
        if not isinstance(part, BodyPartReader):
            raise BadRequest("A form inside a form cannot be read.")
        if part.name == name:
            room -= await _spool(part, spool(), room, came)
        else:
            _add(upload, part.name or "", await _text(part, came))


async def _spool(part: BodyPartReader, spool: BinaryIO, limit: int, came: Callable[[int], None]) -> int:
    size = 0
    while piece := await part.read_chunk(_PIECE):
        came(len(piece))
        size += len(piece)
        if size > limit:
            raise TooLarge("What is uploaded at once is larger than it may be (limits.upload).")
        with disk(tempfile.gettempdir()):
            await asyncio.to_thread(spool.write, piece)
    await asyncio.to_thread(spool.seek, 0)
    return size


@asynccontextmanager
async def read_audio_body(request: web.Request) -> AsyncIterator[BinaryIO]:
    """Read a body that is the recording itself; it is gone when the block is left. Raises TooLarge."""
    limit = bridge_of(request).settings.limits.upload
    size = 0
    if (request.content_length or 0) > limit:
        raise TooLarge(f"A file may have {limit} bytes (limits.upload).")
    with _spooled() as spool:
        async with _reading(request) as came:
            async for piece in request.content.iter_chunked(_PIECE):
                came(len(piece))
                size += len(piece)
                if size > limit:
                    raise TooLarge(f"A file may have {limit} bytes (limits.upload).")
                with disk(tempfile.gettempdir()):
                    await asyncio.to_thread(spool.write, piece)
            await asyncio.to_thread(spool.seek, 0)
        yield spool


async def _text(part: BodyPartReader, came: Callable[[int], None]) -> str:
    content = bytearray()
    while piece := await part.read_chunk(_FIELD):
        came(len(piece))
        content += piece
        if len(content) > _FIELD:
            raise TooLarge(f"The field '{part.name}' may have {_FIELD} bytes.")
    return content.decode("utf-8", "replace")


def _add(upload: Upload, name: str, value: str) -> None:
    """Keep a field; one that ends in [] or comes again is a list."""
    known = upload.fields.get(name)
    if name.endswith("[]") or known is not None:
        upload.fields[name] = [*([known] if isinstance(known, str) else known or []), value]
    else:
        upload.fields[name] = value
