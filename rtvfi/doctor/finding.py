"""A finding of a check, and the rules that keep secrets out of its text."""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Level = Literal["ok", "warn", "fail"]

SHOWN: Final = (
    "CUDA_VISIBLE_DEVICES",
    "DISPLAY",
    "HIP_VISIBLE_DEVICES",
    "HSA_OVERRIDE_GFX_VERSION",
    "LIBVA_DRIVER_NAME",
    "MIOPEN_FIND_ENFORCE",
    "MIOPEN_FIND_MODE",
    "OMP_NUM_THREADS",
    "ROCR_VISIBLE_DEVICES",
    "RTVFI_TORCH",
    "WAYLAND_DISPLAY",
)
"""Environment variables that may be printed; others are never mentioned, not even their names."""

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s@\"']*@")
_SECRET: Final = re.compile(
    r"(?i)\b([\w-]*(?:token|passw(?:or)?d|secret|api[_-]?key|auth\w*|signature|cookie)[\w-]*)"
    r"(\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s&\"']+)"
)
_QUERY: Final = re.compile(r"(\w+://[^\s?\"']+)\?[^\s\"']+")
_PLAIN: Final = re.compile(r"[\w.,:/-]{1,64}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the doctor's output."""

    topic: str
    level: Level
    text: str
    hint: str = ""
    """What to do; empty when nothing is wrong."""
    figures: dict[str, float] = field(default_factory=dict)
    """The numbers in the text by name, for the JSON output."""

    def as_dict(self) -> dict[str, object]:
        """The finding for JSON, its texts passed through ``clean``."""
        said = asdict(self)
        return said | {"text": clean(self.text), "hint": clean(self.hint)}


def ok(topic: str, text: str, **figures: float) -> Finding:
    """Nothing is wrong."""
    return Finding(topic=topic, level="ok", text=text, figures=figures)


def warn(topic: str, text: str, hint: str = "") -> Finding:
    """It works, but worse than it could."""
    return Finding(topic=topic, level="warn", text=text, hint=hint)


def fail(topic: str, text: str, hint: str = "") -> Finding:
    """Something will not work."""
    return Finding(topic=topic, level="fail", text=text, hint=hint)


def clean(text: str) -> str:
    """Make a text fit to show to others: one line, no credentials, ``~`` for the home folder."""
    text = _CONTROL.sub(" ", text)
    text = _QUERY.sub(r"\1?...", _CREDENTIALS.sub("...@", text))
    text = _SECRET.sub(r"\1\2...", text)
    home = os.environ.get("HOME", "").rstrip("/")
    return re.sub(rf"{re.escape(home)}(?=/|\s|\"|$)", "~", text) if len(home) > 1 else text


@dataclass(frozen=True, slots=True)
class Place:
    """The machine that is checked."""

    environ: Mapping[str, str]
    root: Path = Path("/")
    """Root of the system's files; tests put a fake machine here."""

    @property
    def is_real(self) -> bool:
        """Whether this is the real machine, whose devices may be used."""
        return self.root == Path("/")

    def shown(self, *names: str) -> Iterator[str]:
        """Yield ``NAME=value`` for each of these variables that is set and may be printed."""
        for name in names:
            value = self.environ.get(name)
            if value and name in SHOWN:
                yield f"{name}={value if _PLAIN.fullmatch(value) else '...'}"


def size(num_bytes: float) -> str:
    """A number of bytes as text, such as "1.5 GB"."""
    for unit in ("B", "kB", "MB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "B" else f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.1f} GB"
