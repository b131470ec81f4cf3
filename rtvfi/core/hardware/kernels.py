"""How convolutions run fastest on this card, as measured: by which library, in which memory layout.

No rule by family of chips held in what was reported, so it is timed with the model and size that
play, and kept beside what ``rtvfi bench --save`` found. No torch.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import platformdirs

from rtvfi.core.files import write_whole
from rtvfi.core.hardware.verdict import key_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rtvfi.core.files import Json

GAIN = 0.95
"""Part of the time of what is usual here that another way must stay below to be taken."""


class Kernels(NamedTuple):
    """One way."""

    has_library: bool
    """Convolutions by MIOpen or cuDNN, else by torch's own kernels."""
    channels_last: bool
    """In channels-last memory."""

    def words(self, library: str) -> str:
        """For people."""
        how = f"with {library}" if self.has_library else f"without {library}"
        return f"{how}, {'channels-last' if self.channels_last else 'contiguous'}"


def best(ms: Mapping[Kernels, float], usual: Kernels) -> Kernels:
    """The fastest way, or the usual one where that is about as fast.

    Args:
        ms: time of a call each way; those that failed are left out.
        usual: what is used where nothing was measured.
    """
    fastest = min(ms, key=lambda way: ms[way])
    if usual in ms and ms[fastest] > GAIN * ms[usual]:
        return usual
    return fastest


def _file() -> Path:
    return platformdirs.user_data_path("rtvfi", appauthor=False) / "kernels.json"


def _read(device: str) -> Json:
    """What was kept for this device, chip, torch, driver and kernel, by model and size."""
    try:
        document = json.loads(_file().read_text(encoding="utf-8"))
        return dict(document["ways"]) if document["key"] == key_of(device) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _name(model: str, size: tuple[int, int]) -> str:
    return f"{model} {size[0]}x{size[1]}"


def kept_kernels(device: str, model: str, size: tuple[int, int]) -> Kernels | None:
    """What was measured, if it was.

    Args:
        device: name as the user gave it.
        model: its id.
        size: width and height of the film.
    """
    row = _read(device).get(_name(model, size))
    if isinstance(row, list) and len(row) == 2:
        return Kernels(bool(row[0]), bool(row[1]))
    return None


def keep_kernels(device: str, model: str, size: tuple[int, int], way: Kernels) -> None:
    """Keep what was measured; see ``kept_kernels``.

    Raises:
        OSError: it cannot be written.
    """
    ways = _read(device) | {_name(model, size): list(way)}
    _file().parent.mkdir(parents=True, exist_ok=True)
    write_whole(_file(), json.dumps({"key": key_of(device), "ways": ways}, indent=2) + "\n")
