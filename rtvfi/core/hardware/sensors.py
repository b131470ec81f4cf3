"""Clock, load, memory and power of an AMD GPU, read from the kernel's files.

Read-only: a setting that keeps clocks low is reported, never changed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import best
from rtvfi.core.hardware.machine import read

if TYPE_CHECKING:
    from pathlib import Path

SETTING: Final = "power_dpm_force_performance_level"
"""The kernel's file with the clock policy: auto, low, high, profile_standard, ..."""
_BUSY_PERCENT: Final = 85
_LOW_CLOCK: Final = 0.5
"""Fraction of the highest clock below which the clock counts as low."""
_READINGS: Final = 4
"""Low readings in a row before a remark: without a limit, clocks rise within moments."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading; None = not reported by the kernel."""

    clock_mhz: int | None = None
    highest_mhz: int | None = None
    busy_percent: int | None = None
    used_bytes: int | None = None
    """Bytes of its own memory in use."""
    total_bytes: int | None = None
    shared_bytes: int | None = None
    """Bytes of main memory in use by the GPU."""
    level: str = ""
    """Clock policy, the content of ``SETTING``; empty when unknown."""
    profile: str = ""
    """The power profile, such as 3D_FULL_SCREEN; empty when unknown."""

    @property
    def text(self) -> str:
        """The reading in one line; empty when the kernel reports nothing."""
        parts = []
        if self.busy_percent is not None:
            parts.append(f"{self.busy_percent} % busy")
        if self.clock_mhz is not None:
            most = f" of {self.highest_mhz}" if self.highest_mhz else ""
            parts.append(f"{self.clock_mhz}{most} MHz")
        if self.used_bytes is not None and self.total_bytes:
            parts.append(f"{self.used_bytes / 2**30:.1f} of {self.total_bytes / 2**30:.1f} GB")
        if self.shared_bytes is not None and self.shared_bytes > 1 << 27:
            parts.append(f"{self.shared_bytes / 2**30:.1f} GB of main memory")
        if self.level:
            parts.append(f"power {self.level}" + (self.profile and f" ({self.profile})"))
        return ", ".join(parts)

    @property
    def is_held_back(self) -> bool:
        """Whether it is busy at a low clock."""
        clock, highest, busy = self.clock_mhz, self.highest_mhz, self.busy_percent
        if clock is None or highest is None or busy is None:
            return False
        return clock < _LOW_CLOCK * highest and busy >= _BUSY_PERCENT


class Sensors:
    """Reads the sensors of the GPU that networks run on.

    Args:
        folder: the kernel's folder of the device, from ``folder_of``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._num_low = 0

    def read(self) -> Reading:
        """Read the sensors now; it reads several small files, so not for every frame."""
        clock, highest = _clocks(read(self._folder / "pp_dpm_sclk"))
        for sensor in sorted(self._folder.glob("hwmon/hwmon*/freq1_input")):
            exact = _number(sensor)
            clock = clock if exact is None else exact // 1_000_000
        found = re.search(
            r"^\s*\d+\s+(\S+?)\s*\*", read(self._folder / "pp_power_profile_mode"), re.M
        )
        return Reading(
            clock_mhz=clock,
            highest_mhz=highest,
            busy_percent=_number(self._folder / "gpu_busy_percent"),
            used_bytes=_number(self._folder / "mem_info_vram_used"),
            total_bytes=_number(self._folder / "mem_info_vram_total"),
            shared_bytes=_number(self._folder / "mem_info_gtt_used"),
            level=read(self._folder / SETTING).strip(),
            profile=found[1].rstrip(":*") if found else "",
        )

    def remark(self, reading: Reading) -> str:
        """A message for the user after this reading (about one a second); empty = none."""
        self._num_low = self._num_low + 1 if reading.is_held_back else 0
        if self._num_low < _READINGS:
            return ""
        return (
            f"the GPU is busy at {reading.clock_mhz} of {reading.highest_mhz} MHz: "
            f"{self._folder / SETTING} is {reading.level or 'unknown'}"
        )


def folder_of(root: Path = machine.ROOT) -> Path | None:
    """The kernel's folder of the AMD GPU that networks run on; None without one."""
    gpus = [gpu for gpu in machine.gpus(root) if gpu.vendor == "amd"]
    place = best(gpus)
    if place is None or not gpus[place].render:
        return None
    folder = root / f"sys/class/drm/renderD{gpus[place].render}/device"
    return folder if folder.is_dir() else None


def _number(path: Path) -> int | None:
    text = read(path).strip()
    return int(text) if re.fullmatch(r"\d+", text) else None


def _clocks(table: str) -> tuple[int | None, int | None]:
    """(current, highest) clock in MHz from lines like ``1: 2105Mhz *``."""
    rows = re.findall(r"^\d+:\s*(\d+)\s*mhz(\s*\*)?", table, re.MULTILINE | re.IGNORECASE)
    now = next((int(mhz) for mhz, star in rows if star), None)
    return now, max((int(mhz) for mhz, _ in rows), default=None)
