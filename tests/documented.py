"""The commands that the pages and the manual show."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.cli.manual import GENERAL, PAGES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
LAUNCHER = {"test", "check", "update", "help", "--print-torch", "-h", "--help"}
"""What ``run`` does by itself."""


@dataclass(frozen=True)
class Shown:
    """A command line as a reader may type it."""

    page: str
    text: str
    is_whole: bool
    """It stands in a block of its own, to be typed as it is; in a sentence it may be a part."""

    @property
    def words(self) -> list[str]:
        """What follows the program; redirections and comments are the shell's."""
        line = re.split(r"\s(?:\d?>|\||&&|;)", self.text)[0]
        return shlex.split(line, comments=True)[1:]

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def pages() -> list[Path]:
    return sorted(
        path for name in ("*.md", "docs/**/*.md", "weights/*.md") for path in ROOT.glob(name)
    )


def shown() -> list[Shown]:
    """Every line of ``rtvfi`` or ``./run`` in code blocks and code spans, once."""
    manual = (GENERAL, *PAGES.values())
    found = [
        Shown("manual", f"rtvfi {x}", is_whole=True) for page in manual for x, _ in page.examples
    ]
    for path in pages():
        found += _shown_in(path.name, path.read_text())
    return list(dict.fromkeys(found))


def _shown_in(page: str, text: str) -> Iterator[Shown]:
    text = re.sub(r"\\\n\s*", "", text)
    is_inside = False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            is_inside = not is_inside
        elif is_inside or line.startswith("    "):
            # In blocks a meaning may stand beside, apart.
            command = re.match(r"\s*(?:\$ )?((?:rtvfi|\./run) .*?)(?:\s{2,}.*|\s+#.*)?$", line)
            if command:
                yield Shown(page, command[1], is_whole=True)
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for span in re.findall(r"`((?:rtvfi|\./run)\s[^`]+)`", prose):
        yield Shown(page, " ".join(span.split()), is_whole=False)


def shell_lines(text: str) -> list[str]:
    """Lines of blocks that begin with a program or a word of the shell."""
    words = r"(?:sudo|ls|export|for|ffmpeg|git|python|pip|PYTHONPATH=\S+|\./run|rtvfi)"
    return re.findall(rf"^ {{4}}({words} .*)$", text, re.MULTILINE)
