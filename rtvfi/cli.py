"""The command line: grammar, exit codes, logging. Front ends are imported by the handlers.

Exit codes: 0 done (also when the player was closed), 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shlex
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rtvfi import (
    completions,
    desktop,
    eval_command,
    info,
    join_command,
    play_command,
    render_command,
    still,
    store,
)
from rtvfi.bench import command as bench
from rtvfi.bench import warmup
from rtvfi.core import logs
from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.core.files import is_same
from rtvfi.core.program import program, typed
from rtvfi.doctor import command as doctor
from rtvfi.grammar import add_settings, config_of
from rtvfi.manual import GENERAL, PAGES
from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.store import is_available
from rtvfi.settings.config import default_user_file, user_file
from rtvfi.settings.keys import any_of, did_you_mean
from rtvfi.train import command as train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

log = logging.getLogger(__name__)


class Parser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print and exit."""

    def error(self, message: str) -> NoReturn:
        """A mistake on the command line."""
        choice = re.fullmatch(r"argument (\S+): invalid choice: '(.*)' \(.* from (.*)\)", message)
        if choice:
            name, word, known = choice[1].lower(), choice[2], re.findall(r"[\w.-]+", choice[3])
            hint = did_you_mean(word, known) or f"{self.prog} --help"
            raise UsageError(f'there is no {name} "{word}", expected {any_of(known)}', hint=hint)
        raise UsageError(message, hint=f"{self.prog} --help")


@dataclass(frozen=True, slots=True)
class Command:
    """A row of the table of commands."""

    name: str
    summary: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


# --- models ----------------------------------------------------------------------------------


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _models(arguments: argparse.Namespace) -> int:
    rows = [
        {
            "id": info.id,
            "available": is_available(info),
            "gmac_1080p": info.gmac_1080p,
            "frames": info.num_frames,
            "licence": info.licence,
        }
        for info in MODELS.values()
    ]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return 0
    line = "{:<22} {:<10} {:>10} {:>7}  {}".format
    print(line("MODEL", "WEIGHTS", "GMAC/1080p", "FRAMES", "LICENCE"))
    for row in rows:
        cost = "-" if row["gmac_1080p"] is None else f"{row['gmac_1080p']:g}"
        here = "here" if row["available"] else "not here"
        print(line(row["id"], here, cost, row["frames"], row["licence"]))
    print("weights that are not here come with:", typed("weights get MODEL"))
    return 0


# --- config ----------------------------------------------------------------------------------


def _run_config(arguments: argparse.Namespace) -> int:
    config = config_of(arguments, is_live=True)
    own = user_file()
    print(f"# your own settings: {own or f'{default_user_file()} (not there yet)'}")
    print(config.to_toml(), end="")
    return 0


# --- version ---------------------------------------------------------------------------------


def _add_nothing(parser: argparse.ArgumentParser) -> None:
    pass


def version() -> str:
    """The version of the installed package, or of the checkout."""
    try:
        return metadata.version("rtvfi")
    except metadata.PackageNotFoundError:
        import tomllib

        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        with project.open("rb") as file:
            number: str = tomllib.load(file)["project"]["version"]
        return number


def _version(_arguments: argparse.Namespace) -> int:
    print(f"rtvfi {version()}")
    for package in ("torch", "av", "mpv", "numpy"):
        print(f"{package} {metadata.version(package)}")
    print(f"python {sys.version.split()[0]}")
    return 0


# --- all of them -----------------------------------------------------------------------------

COMMANDS: Final = (
    Command("play", "play files with smooth motion", play_command.add_arguments, play_command.main),
    Command(
        "render",
        "write files with smooth motion",
        render_command.add_arguments,
        render_command.main,
    ),
    Command(
        "join",
        "put together what a killed recording left",
        join_command.add_arguments,
        join_command.main,
    ),
    Command("info", "tell what a film is like", info.add_arguments, info.main),
    Command("models", "list the models", _add_models, _models),
    Command("eval", "measure models side by side", eval_command.add_arguments, eval_command.main),
    Command("image", "make pictures between still pictures", still.add_arguments, still.main),
    Command("weights", "fetch, add and check weights", store.add_arguments, store.main),
    Command("doctor", "look for what is missing or slow", doctor.add_arguments, doctor.main),
    Command("bench", "measure what this machine can do", bench.add_arguments, bench.main),
    Command("train", "train the embedded model anew", train.add_arguments, train.main),
    Command("warmup", "prepare kernels before playing", warmup.add_arguments, warmup.main),
    Command("config", "print the configuration and its origins", add_settings, _run_config),
    Command(
        "completions",
        "print completions for a shell",
        completions.add_arguments,
        completions.main,
    ),
    Command("desktop", "open films from the desktop", desktop.add_arguments, desktop.main),
    Command("version", "print versions", _add_nothing, _version),
)


class _Version(argparse.Action):
    """``--version``, reading the number only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: Any) -> None:
        print(f"rtvfi {version()}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """The whole grammar."""
    common = Parser(add_help=False)
    common.add_argument(
        "--debug", action="store_true", default=argparse.SUPPRESS, help="tracebacks, more messages"
    )
    common.add_argument(
        "--log-file", metavar="FILE", default=argparse.SUPPRESS, help="write all messages there"
    )
    parser = Parser(
        prog=program(),
        description=GENERAL.description,
        epilog=GENERAL.epilog(),
        parents=[common],
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.summary[0].upper() + command.summary[1:] + ".",
            parents=[common],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(sub)
        page = PAGES.get(command.name)
        if page is not None:
            sub.description = page.description
            sub.epilog = "\n\n".join(filter(None, (sub.epilog, page.epilog())))
        sub.set_defaults(run=command.run, parser=sub, grammar=parser)
    return parser


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    word = _command_word(arguments)
    names = [command.name for command in COMMANDS]
    if word is not None and word not in names:
        is_file = Path(word).exists()
        raise UsageError(
            f'there is no command "{word}"; commands are {", ".join(names)}',
            hint=typed(f'play "{word}"') if is_file else did_you_mean(word, names),
        )
    parsed, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        raise _unknown(unknown, getattr(parsed, "parser", None) or build_parser())
    return parsed


def _command_word(arguments: Sequence[str]) -> str | None:
    """The first word that is neither an option nor the value of one."""
    words = iter(arguments)
    for word in words:
        if word == "--log-file":
            next(words, None)
        elif not word.startswith("-"):
            return word
    return None


def _unknown(words: Sequence[str], parser: argparse.ArgumentParser) -> UsageError:
    option = next((word for word in words if word.startswith("-")), "").partition("=")[0]
    if not option:
        return UsageError(f'"{words[0]}" is not expected here', hint=f"{parser.prog} --help")
    known = [spelling for action in parser._actions for spelling in action.option_strings]
    hint = did_you_mean(option, known, cutoff=0.7)
    if not hint and "--mpv" in known:
        value = "" if option.startswith("--no-") else "=VALUE"
        hint = f"an option of mpv is given as --mpv {option.lstrip('-')}{value}"
    return UsageError(f'there is no option "{option}"', hint=hint or f"{parser.prog} --help")


def _run(arguments: Sequence[str]) -> int:
    try:
        parsed = _parse(arguments)
        if parsed.command is None:
            build_parser().print_help()
            return 0
        code: int = parsed.run(parsed)
    except SystemExit as leave:  # --help and --version
        return leave.code if isinstance(leave.code, int) else 0
    return code


def _complain(error: RtvfiError) -> int:
    for word, text in (("error", error.message), ("hint", error.hint)):
        if text:  # one line each, whatever is in the names of files
            print(f"{word}: {logs.plain(text)}".replace("\n", "\\n"), file=sys.stderr)
    return error.exit_code


def _give_up_output() -> None:
    """Nobody takes what is printed: Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    logs.configure(is_debug="--debug" in arguments)
    try:
        file = logs.log_file(arguments)
        if file is not None:
            if arguments.count(file) > 1 or any(is_same(file, w) for w in {*arguments} - {file}):
                raise UsageError(f'the log "{file}" is an input, which would be overwritten')
            logs.configure(is_debug="--debug" in arguments, file=file)
            log.debug("rtvfi %s: rtvfi %s", version(), shlex.join(arguments))
        code = _run(arguments)
        sys.stdout.flush()
    except RtvfiError as error:
        log.debug("where it failed:", exc_info=True)
        return _complain(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # rtvfi models | head
        _give_up_output()
        return 0
    except OSError as error:  # a disk, a folder, a name: the machine's mistake, not ours
        log.debug("where it failed:", exc_info=True)
        if error.filename is None:
            _give_up_output()
        name = error.filename if isinstance(error.filename, str) else ""
        what = f'"{name}": ' if name else ""
        return _complain(RtvfiError(f"{what}{error.strerror or error}"))
    except Exception:
        log.debug("this is a mistake in rtvfi:", exc_info=True)
        raise
    return code
