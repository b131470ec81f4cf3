"""The command line: argument parsing, exit codes, logging.

Only the module of the requested command is imported; it imports what it needs when it runs.

Exit codes: 0 done (also when the player was closed), 1 failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from rtvfi.cli.manual import GENERAL, PAGES
from rtvfi.core import logs
from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.core.files import is_same
from rtvfi.core.program import command_line, program
from rtvfi.core.program import version as program_version
from rtvfi.settings.keys import any_of, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

log = logging.getLogger(__name__)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError where argparse would print and exit."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError for a mistake on the command line, with a hint."""
        choice = re.fullmatch(r"argument (\S+): invalid choice: '(.*)' \(.* from (.*)\)", message)
        if choice:
            name, word, known = choice[1].lower(), choice[2], re.findall(r"[\w.-]+", choice[3])
            hint = did_you_mean(word, known) or f"{self.prog} --help"
            raise UsageError(f'there is no {name} "{word}", expected {any_of(known)}', hint=hint)
        raise UsageError(message, hint=f"{self.prog} --help")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the program; its module is imported when more than its name is needed."""

    name: str

    @property
    def _module(self) -> ModuleType:
        return importlib.import_module(f"rtvfi.cli.commands.{self.name}")

    @property
    def summary(self) -> str:
        """What the command does, in a few words."""
        text: str = self._module.SUMMARY
        return text

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the options of the command."""
        self._module.add_arguments(parser)

    def run(self, arguments: argparse.Namespace) -> int:
        """Run the command; returns the exit code."""
        code: int = self._module.main(arguments)
        return code


# --- the list of commands --------------------------------------------------------------------

COMMANDS: Final = tuple(
    map(
        Command,
        (
            "play",
            "render",
            "worker",
            "join",
            "info",
            "models",
            "eval",
            "image",
            "retime",
            "studio",
            "weights",
            "doctor",
            "bench",
            "train",
            "selftest",
            "warmup",
            "config",
            "completions",
            "desktop",
            "mpv",
            "serve",
            "version",
        ),
    )
)
"""In the order of ``--help``; the name of a command is the name of its module."""


class _Version(argparse.Action):
    """``--version``, which reads the version only when the option is given."""

    def __call__(self, parser: argparse.ArgumentParser, *_rest: object) -> None:
        print(f"rtvfi {program_version()}")
        parser.exit()


def build_parser(commands: Sequence[Command] = COMMANDS) -> argparse.ArgumentParser:
    """The argument parser of the program.

    Args:
        commands: the commands that it accepts.
    """
    common = Parser(add_help=False)
    common.add_argument(
        "--debug",
        action="store_true",
        default=argparse.SUPPRESS,
        help="show tracebacks and debug messages",
    )
    common.add_argument(
        "--log-file",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="write all messages to FILE, including debug messages",
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
    table = parser.add_subparsers(metavar="COMMAND", dest="command")
    for command in commands:
        sub = table.add_parser(
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
        sub.set_defaults(run=command.run, parser=sub, grammar=build_parser)
    return parser


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    word = _command_word(arguments)
    names = [command.name for command in COMMANDS]
    if word is not None and word not in names:
        is_file = Path(word).exists()
        raise UsageError(
            f'there is no command "{word}"; the commands are {", ".join(names)}',
            hint=command_line(f'play "{word}"') if is_file else did_you_mean(word, names),
        )
    # What stands before the command may ask for the help of all of them.
    is_alone = word is not None and not {"-h", "--help"} & {*arguments[: arguments.index(word)]}
    parser = build_parser([row for row in COMMANDS if row.name == word] if is_alone else COMMANDS)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise _unknown(unknown, getattr(parsed, "parser", None) or parser)
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
        return UsageError(f'unexpected argument "{words[0]}"', hint=f"{parser.prog} --help")
    known = [spelling for action in parser._actions for spelling in action.option_strings]
    hint = did_you_mean(option, known, cutoff=0.7)
    if not hint and "--mpv" in known:
        value = "" if option.startswith("--no-") else "=VALUE"
        hint = f"pass options of mpv as --mpv {option.lstrip('-')}{value}"
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
        if text:  # always one line each: names of files may contain line breaks
            print(f"{word}: {logs.plain(text)}".replace("\n", "\\n"), file=sys.stderr)
    return error.exit_code


def _give_up_output() -> None:
    """Send stdout to /dev/null: its reader is gone, and Python's flush at exit would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Args:
        argv: the arguments without the program's name; by default those of the process.

    Returns:
        The exit code: 0, 1, 2 or 130, see above.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    logs.configure(is_debug="--debug" in arguments)
    try:
        file = logs.log_file(arguments)
        if file is not None:
            if arguments.count(file) > 1 or any(is_same(file, w) for w in {*arguments} - {file}):
                raise UsageError(f'the log "{file}" is an input, which would be overwritten')
            logs.configure(is_debug="--debug" in arguments, file=file)
            log.debug("rtvfi %s: rtvfi %s", program_version(), shlex.join(arguments))
        code = _run(arguments)
        sys.stdout.flush()
    except RtvfiError as error:
        log.debug("traceback:", exc_info=True)
        return _complain(error)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # rtvfi models | head
        _give_up_output()
        return 0
    except OSError as error:  # a full disk, a missing folder: not a bug in rtvfi
        log.debug("traceback:", exc_info=True)
        if error.filename is None:
            _give_up_output()
        name = error.filename if isinstance(error.filename, str) else ""
        what = f'"{name}": ' if name else ""
        return _complain(RtvfiError(f"{what}{error.strerror or error}"))
    except Exception:
        log.debug("this is a bug in rtvfi:", exc_info=True)
        raise
    return code
