"""``rtvfi completions``: scripts that make bash, zsh and fish complete commands and options.

A script contains all words as of when it was printed; rtvfi does not run during completion.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.auto import AUTO
from rtvfi.settings.config import presets
from rtvfi.settings.keys import SETTINGS
from rtvfi.stream.write.encoders.codecs import CODECS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUMMARY: Final = "print a shell completion script"

SHELLS: Final = ("bash", "zsh", "fish")
PROGRAMS: Final = ("rtvfi", "./run")
"""The programs whose arguments are completed."""

_FILES: Final = ("FILE", "OUT", "FOLDER", "VIDEO", "NODE")
"""An option whose metavar contains one of these takes a file or folder."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option, as far as completion needs it."""

    spellings: tuple[str, ...]
    help: str
    takes_value: bool
    values: tuple[str, ...]
    """The allowed values; empty if any value is allowed."""
    is_file: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A command, or an action of a command."""

    path: tuple[str, ...]
    help: str
    options: tuple[Option, ...]
    words: tuple[tuple[str, str], ...]
    """(word, help) pairs: its actions, or the values of its first argument."""
    takes_files: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``rtvfi completions``."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def main(arguments: argparse.Namespace) -> int:
    """Carry out ``rtvfi completions``; returns the exit code."""
    sys.stdout.write(script(arguments.shell, arguments.grammar()))
    return 0


def script(shell: str, grammar: argparse.ArgumentParser) -> str:
    """The completion script for one of ``SHELLS``."""
    makers: dict[str, Callable[[list[Node]], Iterator[str]]]
    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    head = f"# Completions of rtvfi for {shell}, made by: rtvfi completions {shell}"
    lines = [*makers[shell](list(_nodes(grammar, (), "")))]
    first = ["#compdef " + " ".join(PROGRAMS), head] if shell == "zsh" else [head]
    return "\n".join([*first, *lines]) + "\n"


# --- the grammar -----------------------------------------------------------------------------


def _nodes(
    parser: argparse.ArgumentParser, path: tuple[str, ...], help_text: str
) -> Iterator[Node]:
    options, words, below, takes_files = [], [], [], False
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            words += [(name, helps.get(name, "")) for name in action.choices]
            below += [(sub, name, helps.get(name, "")) for name, sub in action.choices.items()]
        elif action.option_strings:
            options.append(_option(action))
        else:
            words += [(value, "") for value in _values(action)]
            takes_files |= _is_file(action) and not _values(action)
    yield Node(path, help_text, tuple(options), tuple(words), takes_files)
    for sub, name, text in below:
        yield from _nodes(sub, (*path, name), text)


def _option(action: argparse.Action) -> Option:
    return Option(
        spellings=tuple(action.option_strings),
        help=(action.help or "").replace("%%", "%"),
        takes_value=action.nargs != 0,
        values=_values(action),
        is_file=action.nargs != 0 and _is_file(action),
    )


def _values(action: argparse.Action) -> tuple[str, ...]:
    """The allowed values of an argument, if they can be listed."""
    if action.choices is not None:
        return tuple(map(str, action.choices))
    if action.dest == "model":
        return (AUTO, *MODELS)
    if action.dest == "names" and action.metavar == "NAME":
        return tuple(MODELS)
    if action.dest == "preset":
        return presets()
    if action.dest == "encoder":
        return ("auto", *CODECS)
    setting = SETTINGS.get(action.dest)
    return setting.choices if setting is not None else ()


def _is_file(action: argparse.Action) -> bool:
    return any(word in str(action.metavar or "") for word in _FILES)


# --- the shells ------------------------------------------------------------------------------


def _bash(nodes: list[Node]) -> Iterator[str]:
    yield "_rtvfi() {"
    yield "    local cur=${COMP_WORDS[COMP_CWORD]} prev= node= words= files= word i"
    yield "    COMPREPLY=()"
    yield "    ((COMP_CWORD > 1)) && prev=${COMP_WORDS[COMP_CWORD-1]}"
    # Bash splits "--style=plain" into three words.
    yield "    if [[ $cur == = ]]; then cur= && prev=${COMP_WORDS[COMP_CWORD-1]}"
    yield "    elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi"
    yield "    for ((i = 1; i < COMP_CWORD; i++)); do"
    yield "        word=${COMP_WORDS[i]}"
    paths = "|".join(shlex.quote(" ".join(node.path)) for node in nodes if node.path)
    yield f'        case "${{node:+$node }}$word" in {paths}) node="${{node:+$node }}$word" ;; esac'
    yield "    done"
    yield '    case "$node $prev" in'
    for node in nodes:
        for option in node.options:
            if option.takes_value:
                cases = "|".join(
                    shlex.quote(f"{' '.join(node.path)} {s}") for s in option.spellings
                )
                yield f"        {cases}) {_bash_reply(option.values, option.is_file)}; return ;;"
    yield "    esac"
    yield '    case "$node" in'
    for node in nodes:
        spellings = [s for option in node.options for s in option.spellings if s.startswith("--")]
        words = " ".join(name for name, _ in node.words)
        files = "files=1" if node.takes_files else "files="
        yield f"        {shlex.quote(' '.join(node.path))}) {files}"
        yield f"            if [[ $cur == -* ]]; then words='{' '.join(spellings)}'"
        yield f"            else words='{words}'; fi ;;"
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$cur"))'
    yield "    if [[ $cur != -* && -n $files ]]; then"
    yield f"        {_bash_reply((), is_file=True)}"
    yield "    fi"
    yield "}"
    yield f"complete -F _rtvfi {' '.join(PROGRAMS)}"


def _bash_reply(values: tuple[str, ...], is_file: bool) -> str:
    if values:
        return f"COMPREPLY=($(compgen -W '{' '.join(values)}' -- \"$cur\"))"
    if is_file:
        read = "compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY"
        return f'{read} < <(compgen -f -- "$cur")'
    return ":"


def _zsh(nodes: list[Node]) -> Iterator[str]:
    by_path = {node.path: node for node in nodes}
    for node in reversed(nodes):
        yield f"{_zsh_name(node)}() {{"
        yield "    local curcontext=$curcontext state line ret=1"
        yield "    typeset -A opt_args"
        specs = [spec for option in node.options for spec in _zsh_option(option)]
        has_below = any((*node.path, name) in by_path for name, _ in node.words)
        if has_below:
            specs += ["1: :->word", "*:: :->rest"]
        elif node.words:
            specs.append(f"*: :({' '.join(name for name, _ in node.words)})")
        elif node.takes_files:
            specs.append("*:file:_files")
        quoted = " \\\n        ".join(map(shlex.quote, specs))
        yield f"    _arguments -C -s \\\n        {quoted} && ret=0"
        if has_below:
            rows = " ".join(shlex.quote(_zsh_row(name, text)) for name, text in node.words)
            yield "    case $state in"
            yield f"        word) local -a words_here=({rows})"
            yield "            _describe word words_here && ret=0 ;;"
            yield "        rest) case $words[1] in"
            for name, _ in node.words:
                yield f"            {name}) {_zsh_name(by_path[*node.path, name])} && ret=0 ;;"
            yield "        esac ;;"
            yield "    esac"
        yield "    return ret"
        yield "}"
    yield 'if [[ $zsh_eval_context[-1] == loadautofunc ]]; then _rtvfi "$@"'
    yield f"else compdef _rtvfi {' '.join(PROGRAMS)}; fi"


def _zsh_name(node: Node) -> str:
    return "_".join(["_rtvfi", *node.path])


def _zsh_row(name: str, text: str) -> str:
    return f"{name}:{text.replace(':', ' ')}"


def _zsh_option(option: Option) -> Iterator[str]:
    text = option.help.replace("[", "(").replace("]", ")").replace(":", " ")
    value = ""
    if option.takes_value:
        value = ":value:"
        if option.values:
            value += f"({' '.join(option.values)})"
        elif option.is_file:
            value += "_files"
    for spelling in option.spellings:
        is_long = spelling.startswith("--") and option.takes_value
        yield f"*{spelling}{'=' if is_long else ''}[{text}]{value}"


def _fish(nodes: list[Node]) -> Iterator[str]:
    # Not for ./run: fish knows programs by their last part, and other things are called run.
    yield "complete -c rtvfi -f"
    shared: dict[str, list[str]] = {}
    for node in nodes:
        below = [n.path[-1] for n in nodes if n.path and n.path[:-1] == node.path]
        tests = [f"__fish_seen_subcommand_from {word}" for word in node.path]
        if below:
            tests.append(f"not __fish_seen_subcommand_from {' '.join(below)}")
        for row in _fish_rows(node):
            if len(tests) == 1 and node.path:
                shared.setdefault(row, []).append(node.path[0])
            else:
                yield f"complete -c rtvfi -n {shlex.quote('; and '.join(tests))} {row}"
    # What several commands know is said once.
    for row, commands in shared.items():
        yield f"complete -c rtvfi -n '__fish_seen_subcommand_from {' '.join(commands)}' {row}"


def _fish_rows(node: Node) -> Iterator[str]:
    values = [word for word, text in node.words if not text]
    if values:
        yield f"-a {shlex.quote(' '.join(values))}"
    commands = [f"{word}\\t{_fish_quoted(text)}" for word, text in node.words if text]
    if commands:
        yield f"-a {shlex.quote(' '.join(commands))}"
    if node.takes_files:
        yield "-F"
    for option in node.options:
        yield _fish_option(option)


def _fish_quoted(text: str) -> str:
    """A word of a list, which fish expands once more."""
    return '"' + re.sub(r'(["$\\])', r"\\\1", text) + '"'


def _fish_option(option: Option) -> str:
    parts = [f"-l {s[2:]}" if s.startswith("--") else f"-s {s[1:]}" for s in option.spellings]
    if option.takes_value:
        parts.append("-r -F" if option.is_file else "-x")
    if option.values:
        parts.append(f"-a {shlex.quote(' '.join(option.values))}")
    return " ".join([*parts, f"-d {shlex.quote(option.help)}"])
