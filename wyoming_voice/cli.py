"""The command line. What a command is asked for goes to standard output, everything else to standard error."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from . import __version__
from .errors import BadRequest, VoiceError
from .invocation import PROGRAM, typed

_CHECKOUT: Final = Path(__file__).resolve().parent.parent
_COMMANDS: Final = {  # imported when it is run: the server needs no decoders, and is there sooner without
    "serve": "serving:serve",
    "say": "command:say",
    "transcribe": "command:transcribe",
    "text": "command_text:text",
    "voices": "command_voice:voices",
    "engines": "command_engine:engines",
    "doctor": "doctor:doctor",
    "bench": "benchmark:bench",
}
_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}

_Parser = argparse.ArgumentParser
Command = Callable[[Any, argparse.Namespace], Coroutine[Any, Any, int]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0, 1 for a failure, 2 for a wrong command line or configuration."""
    chosen = _parser().parse_args(arguments)
    from .config_load import load  # noqa: PLC0415 - `--help` and a mistyped command answer at once
    from .config_mistake import ConfigError  # noqa: PLC0415
    from .migrate import migrate  # noqa: PLC0415

    try:
        notices: list[str] = []
        if chosen.command == "config":
            return migrate(_config_file(chosen.config))
        chosen.read = partial(load, _config_file(chosen.config), _environment(chosen))
        settings = chosen.read(notices)
    except ConfigError as error:
        print(error.text, file=sys.stderr)
        return 2
    if notices:
        print(typed("\n".join(notices)), file=sys.stderr)
    quiet = logging.INFO if chosen.command == "serve" else logging.WARNING
    logging.basicConfig(
        level=max(_LEVELS[settings.log_level], quiet) if settings.log_level == "info" else _LEVELS[settings.log_level],
        format="%(asctime)s %(levelname)s %(message)s",
        datefmt="%H:%M:%S",
        stream=sys.stderr,
    )
    if settings.log_level != "debug":
        logging.getLogger("pymorphy3").setLevel(logging.WARNING)  # it tells which dictionary it opens
    module, _, name = _COMMANDS[chosen.command].partition(":")
    command: Command = getattr(import_module(f".{module}", __package__), name)
    return _run(command, settings, chosen)


def _run(command: Command, settings: Any, chosen: argparse.Namespace) -> int:
    told: list[int] = []
    try:
        return asyncio.run(_ended_by_signals(command(settings, chosen), told, serving=chosen.command == "serve"))
    except asyncio.CancelledError:
        return 128 + told[0]
    except VoiceError as error:
        print(error.text, file=sys.stderr)
        return 2 if isinstance(error, BadRequest) else 1
    except BrokenPipeError:  # `… | head`: whoever reads has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


async def _ended_by_signals(command: Coroutine[Any, Any, int], told: list[int], *, serving: bool) -> int:
    """Have a command clean up when the system, or a terminal that is closed, ends it; the server sees to it itself."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def end(number: int) -> None:
        loop.remove_signal_handler(number)  # the second time it ends at once
        told.append(number)
        if task is not None:
            task.cancel()

    for number in () if serving else (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # else nohup, say, wants it to go on
            loop.add_signal_handler(number, end, number)
    return await command


def _config_file(named: str | None) -> Path | None:
    """Find the configuration: named on the command line, in the environment, or beside the checkout."""
    name = named or os.environ.get("WYOMING_VOICE_CONFIG")
    if name:
        return Path(name)
    beside = _CHECKOUT / "config.yml"
    return beside if beside.exists() else None


def _environment(chosen: argparse.Namespace) -> dict[str, str]:
    environ = dict(os.environ)
    if chosen.command == "serve":
        if chosen.uri is not None:
            environ["WYOMING_VOICE__SERVER__URI"] = json.dumps(chosen.uri)  # as YAML takes it for a string
        if chosen.http is not None:
            environ["WYOMING_VOICE__HTTP"] = json.dumps(chosen.http)
    return environ


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="A local voice server: it speaks and listens over the Wyoming protocol.",
    )
    parser.add_argument("--version", action="version", version=f"wyoming-voice {__version__}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", metavar="FILE", help="configuration (default: config.yml of the checkout)")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", parents=[common], help="run the server")
    serve.add_argument("--uri", metavar="tcp://HOST:PORT", help="where Wyoming clients connect (server.uri)")
    serve.add_argument("--http", metavar="HOST:PORT", help="where the HTTP bridge listens, or 'off' (http)")

    say = commands.add_parser("say", parents=[common], help="speak a text: play it, or write it to a file or a pipe")
    say.add_argument("text", nargs="?", help="the text; from standard input when left out")
    say.add_argument(
        "-o", "--output", metavar="FILE", help="wav, flac, ogg, opus, mp3, aac by its ending; - for a pipe"
    )
    say.add_argument("--voice", metavar="NAME", help="see the command `voices`")
    say.add_argument("--language", metavar="CODE", help="choose the voice by language: ru, en, …")
    say.add_argument("--speaker", metavar="NAME", help="of a voice that has several")
    say.add_argument("--style", metavar="TEXT", help="how to say it, for engines that take an instruction")
    say.add_argument("--speed", type=float, default=1.0, metavar="X", help="0.25 to 4, 1 is the voice's own")
    say.add_argument("--pitch", type=float, default=1.0, metavar="X", help="0.25 to 4, 1 is the voice's own")
    say.add_argument("--ref-audio", action="append", metavar="FILE", help="speak with the voice of this recording")
    say.add_argument("--ref-text", action="append", metavar="TEXT", help="what that recording says, in the same order")
    say.add_argument("--ref-dir", metavar="DIR", help="a folder of recordings, each with its text in a .txt beside it")
    say.add_argument("--description", metavar="TEXT", help="speak with a voice that is described in words")
    say.add_argument("--seed", type=int, metavar="N", help="the same each time, with engines that draw lots")
    say.add_argument("--ssml", action="store_true", help="the text is SSML")

    _text_parser(commands, common)

    transcribe = commands.add_parser("transcribe", parents=[common], help="write down what recordings say")
    transcribe.add_argument("files", nargs="*", metavar="FILE", help="any audio file; - for standard input")
    transcribe.add_argument("--audio", action="append", metavar="FILE", help="the same, by name")
    transcribe.add_argument("--language", metavar="CODE", help="what is spoken: ru, en, … (default: your first one)")
    transcribe.add_argument("--model", metavar="NAME", help="see the command `engines`")
    transcribe.add_argument("--json", action="store_true", help="one JSON object a file, with times")

    _voices_parser(commands, common)

    engines = commands.add_parser("engines", parents=[common], help="list the engines, or install one")
    engines.add_argument("--json", action="store_true", help="as JSON")
    actions = engines.add_subparsers(dest="action", metavar="ACTION", help="list (the default), install or remove")
    late = argparse.ArgumentParser(add_help=False)  # the option may stand before the action and behind it
    late.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    listing = actions.add_parser("list", parents=[late], help="list the engines and what they need")
    listing.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON")
    for action in ("install", "remove"):
        chosen = actions.add_parser(action, parents=[late], help=f"{action} engines")
        chosen.add_argument("names", nargs="+", metavar="NAME", help="see `engines`")
        chosen.add_argument("--weights", action="store_true", help=f"{action} the weights of its model too")
        if action == "install":
            chosen.add_argument("--weights-from", metavar="FOLDER", help="take the weights from here: no internet")
            chosen.add_argument("--model", metavar="NAME", help="weights of this model (default: the configured one)")

    _more_commands(commands, common)
    return parser


def _more_commands(commands: "argparse._SubParsersAction[_Parser]", common: _Parser) -> None:
    config = commands.add_parser("config", parents=[common], help="rewrite the configuration of an older tool")
    config.add_argument("action", choices=("migrate",), help="write it in the new form, and keep the old one beside it")
    commands.add_parser("doctor", parents=[common], help="check the installation and say what to do")
    bench = commands.add_parser("bench", parents=[common], help="measure; prints the tables of the README")
    bench.add_argument("names", nargs="*", metavar="TABLE", help="only these")


def _text_parser(commands: "argparse._SubParsersAction[_Parser]", common: _Parser) -> None:
    text = commands.add_parser("text", parents=[common], help="print what would be spoken, one segment a line")
    text.add_argument("text", nargs="?", help="the text; left out: each line of standard input")
    text.add_argument("--language", metavar="CODE", help="read it in this language (default: by its letters)")
    who = text.add_mutually_exclusive_group()
    who.add_argument("--voice", metavar="NAME", help="as this voice gets it (default: the one that would speak)")
    who.add_argument("--for", dest="engine", metavar="ENGINE", help="as this engine gets it; see `engines`")
    text.add_argument("--steps", action="store_true", help="show what each step makes of each segment")
    for name, what in (
        ("llm", "have the language model rewrite it (text.llm.use_llm_tts)"),
        ("normalize", "spell out numbers and the like (text.normalize)"),
        ("stress", "mark stressed vowels (text.stress)"),
    ):
        text.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, help=what)


def _voices_parser(commands: "argparse._SubParsersAction[_Parser]", common: _Parser) -> None:
    voices = commands.add_parser("voices", parents=[common], help="list the voices of your languages, or make one")
    voices.add_argument("--all", action="store_true", help="of every language")
    voices.add_argument("--json", action="store_true", help="as JSON")
    actions = voices.add_subparsers(dest="action", metavar="ACTION", help="add, preview or remove a voice of your own")
    late = argparse.ArgumentParser(add_help=False)  # the option may stand before the action and behind it
    late.add_argument("--config", metavar="FILE", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add = actions.add_parser("add", parents=[late], help="make a voice of recordings, or of a description")
    add.add_argument("name", metavar="NAME", help="what it is called from now on")
    add.add_argument("--audio", action="append", metavar="FILE", help="5 to 15 s of clear speech; repeatable")
    add.add_argument("--text", action="append", metavar="TEXT", help="what it says; recognised where it is left out")
    add.add_argument("--description", metavar="TEXT", help="a voice in words, in place of a recording")
    add.add_argument("--engine", metavar="ENGINE", help="who speaks with it: qwen-tts, orpheus (default: the first)")
    add.add_argument("--language", metavar="CODE", help="what it speaks (default: all that its engine does)")
    add.add_argument("--yes", action="store_true", help="take what was recognised as it is")
    preview = actions.add_parser("preview", parents=[late], help="hear a voice")
    preview.add_argument("name", metavar="NAME", help="see `voices`")
    preview.add_argument("text", nargs="?", help="what to say")
    preview.add_argument("-o", "--output", metavar="FILE", help="write a file instead")
    remove = actions.add_parser("remove", parents=[late], help="remove a voice of your own")
    remove.add_argument("name", metavar="NAME", help="see `voices`")
