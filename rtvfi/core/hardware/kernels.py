"""The fastest way to run convolutions on this card, as measured: library and memory layout.

Published reports show no rule by chip family, so it is timed for each model and size, and stored
beside the results of ``rtvfi bench --save``. Does not import torch.
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
"""Another way is used only if it takes less than this fraction of the usual way's time."""


class Kernels(NamedTuple):
    """One way to run convolutions."""

    has_library: bool
    """Use MIOpen or cuDNN, else torch's own kernels."""
    channels_last: bool
    """Use the channels-last memory layout."""

    def description(self, library: str) -> str:
        """Description for a message; ``library`` is the name of the convolution library."""
        how = f"with {library}" if self.has_library else f"without {library}"
        return f"{how}, {'channels-last' if self.channels_last else 'contiguous'}"


def best(ms: Mapping[Kernels, float], usual: Kernels) -> Kernels:
    """The fastest way, or the usual one if that is about as fast.

    Args:
        ms: milliseconds of a call each way; ways that failed are left out.
        usual: the way used when nothing was measured.
    """
    fastest = min(ms, key=lambda way: ms[way])
    if usual in ms and ms[fastest] > GAIN * ms[usual]:
        return usual
    return fastest


def _file() -> Path:
    return platformdirs.user_data_path("rtvfi", appauthor=False) / "kernels.json"


def _read(device: str) -> Json:
    """The stored ways for this device, chip, torch, driver and kernel, by model and size."""
    try:
        document = json.loads(_file().read_text(encoding="utf-8"))
        return dict(document["ways"]) if document["key"] == key_of(device) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _name(model: str, size: tuple[int, int]) -> str:
    return f"{model} {size[0]}x{size[1]}"


def kept_kernels(device: str, model: str, size: tuple[int, int]) -> Kernels | None:
    """The stored measurement; None if there is none.

    Args:
        device: its name as the user gave it.
        model: its id.
        size: width and height of the film.
    """
    row = _read(device).get(_name(model, size))
    if isinstance(row, list) and len(row) == 2:
        return Kernels(bool(row[0]), bool(row[1]))
    return None


def keep_kernels(device: str, model: str, size: tuple[int, int], way: Kernels) -> None:
    """Store a measurement for ``kept_kernels``.

    Raises:
        OSError: the file cannot be written.
    """
    ways = _read(device) | {_name(model, size): list(way)}
    _file().parent.mkdir(parents=True, exist_ok=True)
    write_whole(_file(), json.dumps({"key": key_of(device), "ways": ways}, indent=2) + "\n")
