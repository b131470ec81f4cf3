"""The device that models run on, and how torch shares the processor with the player.

Importing this module does not import torch; most of its functions do.
"""

from __future__ import annotations

import ctypes
import logging
import os
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import DeviceError
from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import best
from rtvfi.core.hardware.verdict import OWN_MASK
from rtvfi.settings.keys import SETTINGS, checked

if TYPE_CHECKING:
    from pathlib import Path

    import torch

log = logging.getLogger(__name__)

_MOST_THREADS: Final = 8
"""Maximum: a picture is computed in bands and motion in two halves, so more would stay idle."""


def keep_freed_memory() -> None:
    """Tell glibc to reuse freed memory instead of returning it to the kernel, because mapping fresh
    pages takes longer than the work on them.

    A frame of `cel` at half flow scale on two cores takes 39 ms without this and 29 ms with it at
    854x480, 160 and 121 ms at 1920x1080. Without glibc this does nothing.
    """
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(m_mmap_threshold, 32 << 20)  # the largest glibc takes
    mallopt(m_trim_threshold, 1 << 30)
    mallopt(m_top_pad, 64 << 20)


def cores_for_pictures(*, is_live: bool) -> int:
    """Number of threads that make pictures without torch: one per core, but while playing on more
    than two cores one is left to the player.

    Idle threads sleep, so on two cores both may be used. ``OMP_NUM_THREADS`` overrides this.
    """
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    cores = len(os.sched_getaffinity(0))
    return min(_MOST_THREADS, cores - 1 if is_live and cores > 2 else cores)


def leave_a_core() -> None:
    """Let torch compute on all cores but one: decoder and player need it.

    A frame of `cel` while playing 854x480 on two cores: 35 ms with two threads, 30 ms with one.
    ``OMP_NUM_THREADS`` overrides this.
    """
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))


def take_every_core() -> None:
    """Undo ``leave_a_core`` once the player is closed: torch uses all cores."""
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(len(os.sched_getaffinity(0)))


_MASKS = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")


def show_best_amd(root: Path = machine.ROOT) -> bool:
    """Hide all AMD GPUs from ROCm except the one to compute on; call it before torch is imported.

    ROCm initialises every GPU it sees, and some integrated GPUs crash it. If the user has set one
    of ``_MASKS``, nothing is changed.

    Returns:
        False if no GPU is suitable; True if one is, or if nothing is known against it.
    """
    gpus = [gpu for gpu in machine.gpus(root) if gpu.vendor == "amd"]
    if "+rocm" not in (machine.torch_version() or "") or any(map(os.environ.get, _MASKS)):
        return True
    place = best(gpus)
    if place is not None and len(gpus) > 1:
        os.environ["ROCR_VISIBLE_DEVICES"] = os.environ[OWN_MASK] = str(place)
        log.info("of %d AMD GPUs %s is used", len(gpus), gpus[place].arch)
    return place is not None or not gpus


def resolve_device(name: str) -> torch.device:
    """The device named ``auto``, ``cpu``, ``cuda[:N]`` or ``rocm[:N]``; imports torch.

    Raises:
        UsageError: the name has another form.
        DeviceError: the named device cannot be used.
    """
    checked(SETTINGS["device"], name, "--device")
    # Threads that spin while waiting would take the core that decoder and player need.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # MIOpen's full search was reported to take half an hour for one size: only "warmup" does it.
    os.environ.setdefault("MIOPEN_FIND_MODE", "FAST")
    family, _, number = name.partition(":")
    is_cpu = family == "cpu" or (family == "auto" and not show_best_amd())
    import torch

    if is_cpu:
        return torch.device("cpu")
    is_rocm = torch.version.hip is not None
    if family == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if not torch.cuda.is_available() or is_rocm != (family == "rocm"):
        built = f"ROCm {torch.version.hip}" if is_rocm else f"CUDA {torch.version.cuda}"
        what = built if is_rocm or torch.version.cuda else "the CPU only"
        raise DeviceError(
            f'device "{name}" cannot be used: this torch is built for {what} and sees '
            f"{torch.cuda.device_count()} such devices",
            "use --device auto, or set RTVFI_TORCH=rocm or cuda and run again",
        )
    if number and int(number) >= torch.cuda.device_count():
        raise DeviceError(
            f'device "{name}" is not there, there are {torch.cuda.device_count()}',
            f"use {family}:0",
        )
    return torch.device("cuda", int(number or 0))
