"""What an installation puts under ``share/``: manual page, completions, desktop entry, metadata.

Made from the grammar; ``tests/tables.py --write`` puts them in ``packaging/share``.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cli.commands import completions, desktop
from rtvfi.cli.main import COMMANDS, build_parser
from rtvfi.cli.manual import GENERAL, PAGES
from rtvfi.core.program import version

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(__file__).resolve().parent.parent
SHARE: Final = ROOT / "packaging" / "share"
_METADATA: Final = """\
<?xml version="1.0" encoding="UTF-8"?>
<component type="desktop-application">
  <id>io.github.rtvfi</id>
  <name>rtvfi</name>
  <summary>Plays films with smooth motion</summary>
  <metadata_license>CC0-1.0</metadata_license>
  <project_license>MIT</project_license>
  <description>
    <p>
      Plays films in mpv with frames interpolated by a neural network while the film runs, or
      writes interpolated files. Made for anime: drawings held for two or three frames move
      evenly.
    </p>
  </description>
  <launchable type="desktop-id">rtvfi.desktop</launchable>
  <provides>
    <binary>rtvfi</binary>
  </provides>
  <categories>
    <category>AudioVideo</category>
    <category>Video</category>
    <category>Player</category>
  </categories>
  <content_rating type="oars-1.1"/>
  <releases>
    <release version="{version}" date="2026-11-30" type="development"/>
  </releases>
</component>
"""
_ICON: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" width="128" height="128" viewBox="0 0 128 128">
  <rect x="8" y="8" width="112" height="112" rx="20" fill="#20264a"/>
  <g fill="none" stroke-linecap="round" stroke-linejoin="round" stroke-width="8">
    <path d="M30 36v56l28-28z" stroke="#5b6bd6" fill="#5b6bd6"/>
    <path d="M50 36v56l28-28z" stroke="#8c9af2" fill="#8c9af2" opacity=".7"/>
    <path d="M70 36v56l28-28z" stroke="#f4f6ff" fill="#f4f6ff"/>
  </g>
</svg>
"""


def files() -> dict[Path, str]:
    """Text by place below ``share/``."""
    grammar = build_parser()
    return {
        Path("man/man1/rtvfi.1"): manual(),
        Path("bash-completion/completions/rtvfi"): completions.script("bash", grammar),
        Path("zsh/site-functions/_rtvfi"): completions.script("zsh", grammar),
        Path("fish/vendor_completions.d/rtvfi.fish"): completions.script("fish", grammar),
        Path("applications/rtvfi.desktop"): entry(),
        Path("metainfo/io.github.rtvfi.metainfo.xml"): _METADATA.format(version=version()),
        Path("icons/hicolor/scalable/apps/rtvfi.svg"): _ICON,
    }


def entry() -> str:
    """The desktop entry of an installation for all users."""
    text = desktop.entry(["rtvfi"])
    return text.replace('Exec="rtvfi"', "Exec=rtvfi").replace("video-x-generic", "rtvfi")


def manual() -> str:
    """The manual page: every command with its options, as ``--help`` has them."""
    lines = [
        f'.TH RTVFI 1 "" "rtvfi {version()}" "User Commands"',
        ".SH NAME",
        "rtvfi \\- smooth motion for anime, live in mpv",
        ".SH SYNOPSIS",
        ".B rtvfi",
        "\\fICOMMAND\\fR [\\fIoptions\\fR] [\\fIfiles\\fR]",
        ".SH DESCRIPTION",
        *_paragraphs(GENERAL.description),
        ".SH COMMANDS",
    ]
    for command in COMMANDS:
        parser = argparse.ArgumentParser(add_help=False)
        command.add_arguments(parser)
        lines += [f".SS {command.name}"]
        page = PAGES.get(command.name)
        lines += _paragraphs(page.description if page else command.summary + ".")
        for action in parser._actions:
            if action.help != argparse.SUPPRESS:
                lines += _option(action)
        for line, meaning in page.examples if page else ():
            lines += [".PP", f"\\fBrtvfi {_roff(line)}\\fR", ".br", _roff(meaning)]
    lines += [".SH EXIT STATUS", "0 done, 1 failed, 2 wrong usage, 130 interrupted."]
    lines += [".SH SEE ALSO", "mpv(1), ffmpeg(1)"]
    return "\n".join(lines) + "\n"


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield ".PP"
        yield _roff(" ".join(paragraph.split()))


def _option(action: argparse.Action) -> Iterator[str]:
    names = ", ".join(f"\\fB{_roff(name)}\\fR" for name in action.option_strings)
    value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
    if isinstance(value, tuple):
        value = " ".join(value)
    takes = action.nargs != 0 or not names
    yield ".TP"
    yield " ".join(filter(None, (names, f"\\fI{_roff(value)}\\fR" if value and takes else "")))
    yield _roff((action.help or "").replace("%%", "%"))


def _roff(text: str) -> str:
    """Text that troff takes as it is."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return f"\\&{text}" if text.startswith((".", "\\(aq")) else text


def write() -> None:
    """Put all files in their places."""
    for place, text in files().items():
        path = SHARE / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
