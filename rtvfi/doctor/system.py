"""Checks Python and its packages, processor, memory and GPUs with their permissions. Reads only."""

from __future__ import annotations

import grp
import os
import sys
from importlib import metadata
from typing import TYPE_CHECKING, Final

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.chips import chips
from rtvfi.core.hardware.sensors import SETTING, Sensors, folder_of
from rtvfi.doctor.finding import fail, ok, size, warn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rtvfi.doctor.finding import Finding, Place

PACKAGES: Final = {
    # package: (lowest version, first version too new), by the numbers before the second point
    "av": ((18, 1), (19, 0)),
    "mpv": ((1, 0), (2, 0)),
    "numpy": ((2, 0), (3, 0)),
    "opencv-python-headless": ((4, 10), (6, 0)),
    "platformdirs": ((4, 2), (5, 0)),
    "rich": ((13, 7), (16, 0)),
    "safetensors": ((0, 5), (1, 0)),
    "torch": ((2, 6), (3, 0)),
}
"""The requirements of pyproject.toml, for a checkout that is run without being installed."""
_ENOUGH_MEMORY: Final = 3 << 30
_MODERN: Final = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
INSTALL: Final = "./run play installs everything; with pip: pip install . in the checkout"


def check_python(place: Place) -> Iterator[Finding]:
    """Check the interpreter and the packages, without importing them."""
    number = sys.version.split()[0]  # an older one than 3.11 cannot read this file
    where = "its own environment" if sys.prefix != sys.base_prefix else "the system's Python"
    yield ok("python", f"Python {number}, {where}")
    here, bad = [], False
    for name, (least, below) in PACKAGES.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            bad = True
            yield fail("python", f"the package {name} is not installed", INSTALL)
            continue
        here.append(f"{name} {version}")
        if not least <= _numbers(version) < below:
            bad = True
            wanted = f"{'.'.join(map(str, least))} or newer, below {'.'.join(map(str, below))}"
            yield fail("python", f"the package {name} is {version}, expected {wanted}", INSTALL)
    if not bad:
        yield ok("python", ", ".join(here))
    if threads := list(place.shown("OMP_NUM_THREADS")):
        yield warn("python", f"{threads[0]} limits the cores used", "unset it to use them all")


def _numbers(version: str) -> tuple[int, int]:
    first, second, *_ = (*version.partition("+")[0].split("."), "0", "0")
    return int(first), int(second)


_SLOW_LEVELS: Final = ("low", "profile_min_sclk", "profile_min_mclk")


def check_machine(place: Place) -> Iterator[Finding]:
    """Check processor, memory, GPUs, and whether this user may use them."""
    root = place.root
    flags = machine.processor_flags(root)
    fast = ", ".join(flag for flag in _MODERN if flag in flags)
    cores = machine.num_cores()
    yield ok("machine", f"{machine.processor(root)}, {cores} cores{fast and f' ({fast})'}")
    granted = machine.cores_granted(root)
    if granted is not None and granted < cores:
        yield warn(
            "machine",
            f"a container limits this process to the time of {granted:g} cores",
            f"export OMP_NUM_THREADS={max(1, int(granted))}, or lift the limit",
        )
    total, free = machine.memory_bytes(root)
    if total:
        text = f"memory {size(total)}, {size(free)} free"
        if free < _ENOUGH_MEMORY:
            yield warn("machine", text, "1080p on the processor needs about 3 GB; close programs")
        else:
            yield ok("machine", text)
    gpus = machine.gpus(root)
    if not gpus:
        yield warn(
            "gpu",
            "no GPU with a compute driver: the processor computes",
            "this is enough for 854x480 or so; an AMD GPU needs the kernel's amdgpu driver "
            "(/dev/kfd), an NVIDIA GPU its own driver",
        )
    for gpu in gpus:
        yield ok("gpu", _described(gpu))
    yield from _check_nodes(root, [gpu for gpu in gpus if gpu.vendor == "amd"])
    yield from check_power(root)
    driver = machine.nvidia_driver(root)
    if driver:
        yield ok("gpu", f"NVIDIA driver {driver}")


def _described(gpu: machine.Gpu) -> str:
    """A GPU with its product name, and why it is not used for computing, if so."""
    chip = chips().get(gpu.arch)
    parts = [gpu.arch, *([chip.products] if chip is not None else [])]
    text = f"{gpu.name} ({': '.join(parts)})" if gpu.arch else gpu.name
    if chip is not None and not chip.builds:
        text += ", for which no build of torch has kernels"
    elif chip is not None and chip.kind == "display":
        text += ", made for driving displays: the processor is faster"
    return text


def _check_nodes(root: Path, gpus: Sequence[machine.Gpu]) -> Iterator[Finding]:
    """Check the device nodes that ROCm opens for these AMD GPUs."""
    node = root / "dev/kfd"
    if gpus and not os.access(node, os.R_OK | os.W_OK):
        yield fail("gpu", f"you may not use {node} (the compute driver)", join_group(node))
    for render in (root / f"dev/dri/renderD{gpu.render}" for gpu in gpus if gpu.render):
        if not render.exists():
            hint = "a container needs --device /dev/dri beside --device /dev/kfd"
            yield fail("gpu", f"{render} is missing, without which ROCm sees no GPU", hint)


def check_power(root: Path) -> Iterator[Finding]:
    """Report the load and clocks of an AMD GPU, and a setting that keeps its clocks low."""
    folder = folder_of(root)
    if folder is None:
        return
    found = Sensors(folder).read()
    if found.level in _SLOW_LEVELS:
        yield warn(
            "gpu",
            found.text,
            f"{folder / SETTING} is {found.level}, which keeps clocks low: sudo sh -c "
            f"'echo auto >{folder / SETTING}'",
        )
    elif found.text:
        yield ok("gpu", found.text)


def join_group(node: Path) -> str:
    """A hint: the command that gives the user access to a device node."""
    try:
        group = grp.getgrgid(node.stat().st_gid).gr_name
    except (KeyError, OSError):
        group = "render"
    if group == "root":
        return f"only root may use it: the group of {node} should be render"
    return f"sudo usermod -aG {group} $USER, then log in again"
