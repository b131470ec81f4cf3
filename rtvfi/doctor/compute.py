"""Checks that the build of torch fits the hardware, sees the GPU and can compute on it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import first_line
from rtvfi.core.hardware import machine, verdict
from rtvfi.core.hardware.chips import chips
from rtvfi.core.program import command_line
from rtvfi.doctor.finding import fail, ok, size, warn
from rtvfi.doctor.system import INSTALL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtvfi.doctor.finding import Finding, Place

_FAMILY: Final = {"amd": "rocm", "nvidia": "cuda"}
_ROCM_VARIABLES: Final = ("HSA_OVERRIDE_GFX_VERSION", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")


def check_torch(place: Place) -> Iterator[Finding]:
    """Check the build, the GPU architecture, and a first sum on the GPU."""
    version = machine.torch_version()
    if version is None:
        yield fail("torch", "torch is not installed: nothing can be interpolated", INSTALL)
        return
    gpus = machine.gpus(place.root)
    yield from _check_label(version, [_FAMILY[gpu.vendor] for gpu in gpus])
    if not place.is_real:
        return
    try:
        import torch
    except (ImportError, OSError) as error:
        yield fail("torch", f"torch {version} cannot be imported: {error}", INSTALL)
        return
    yield from _check_devices(gpus, place)
    if gpus and (torch.version.hip or torch.version.cuda):
        yield from check_selftest(place)
    if torch.version.hip:
        yield from check_miopen(place)


def _check_label(version: str, families: Sequence[str]) -> Iterator[Finding]:
    """Check the build by the label in its version: 2.13.0+cpu, +cu130, +rocm7.2."""
    label = version.partition("+")[2]
    build = next((f for f in ("cpu", "rocm") if label.startswith(f)), "cuda")
    if not families:
        if build == "cpu":
            yield ok("torch", f"torch {version} fits this machine")
        else:
            yield warn(
                "torch",
                f"torch {version} is built for a GPU, but no compute driver is loaded",
                "load the driver, or install the smaller build: RTVFI_TORCH=cpu ./run doctor",
            )
    elif build == families[0]:
        yield ok("torch", f"torch {version} fits the GPU")
    elif build == "cpu":
        yield warn(
            "torch",
            f"torch {version} cannot use the GPU: the processor computes",
            _build_hint(families[0]),
        )
    elif build in families:
        yield ok("torch", f"torch {version}, for the second kind of GPU here")
    else:
        yield warn(
            "torch",
            f"torch {version} is built for another kind of GPU",
            _build_hint(families[0]),
        )


def _build_hint(family: str) -> str:
    return (
        f"RTVFI_TORCH={family} ./run doctor installs the build for it; "
        "./run --print-torch shows the command for pip"
    )


def _check_devices(gpus: Sequence[machine.Gpu], place: Place) -> Iterator[Finding]:
    import torch

    if not torch.cuda.is_available():
        if torch.version.hip or torch.version.cuda:
            yield warn("torch", "torch sees no GPU: the processor computes", _unseen(place, gpus))
        return
    architectures = torch.cuda.get_arch_list()
    # The kernel names the real chip; torch names the one that HSA_OVERRIDE_GFX_VERSION pretends.
    chips = [gpu.arch for gpu in gpus if gpu.vendor == "amd"]
    count = torch.cuda.device_count()
    for number in range(count):
        properties = torch.cuda.get_device_properties(number)
        name = f"{properties.name}, {size(properties.total_memory)}"
        arch = getattr(properties, "gcnArchName", "").partition(":")[0]
        if torch.version.hip:
            actual = chips[number] if len(chips) == count else ""
            yield from check_architecture(actual or arch, architectures, place)
        trouble = _first_sum(number)
        if trouble:
            hint = "see the lines about the GPU above; --device cpu plays without it"
            yield fail("torch", f"{name}: it cannot compute: {trouble}", hint)
        else:
            yield ok("torch", f"{name}: computes")


def check_selftest(place: Place) -> Iterator[Finding]:
    """Report the stored result of the GPU's self-test."""
    found = verdict.kept("auto", place.root)
    again = command_line("selftest")
    if found is None:
        yield ok("selftest", f"the GPU is tested before its first use; {again} does it now")
        return
    said = found.sentence(is_live=True)
    if said:
        more = "".join(f"; also: {failure}" for failure in found.failures[1:])
        yield warn("selftest", f"{said}; found on {found.date}{more}", f"{again} tests it again")
    else:
        yield ok(
            "selftest",
            f"{found.name} passed its self-test on {found.date} in {found.seconds:g} s",
            seconds=found.seconds,
        )


def _unseen(place: Place, gpus: Sequence[machine.Gpu]) -> str:
    hidden = [*place.shown("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")]
    if hidden:
        return f"unset {', '.join(text.partition('=')[0] for text in hidden)}"
    if any(gpu.vendor == "amd" for gpu in gpus):
        return "is your user in the groups render and video, and is the card one ROCm supports?"
    return "is the NVIDIA driver loaded and new enough for this build? nvidia-smi shows it"


def _first_sum(number: int) -> str:
    import torch

    try:
        total = torch.ones(1000, device=f"cuda:{number}").sum().item()
    except RuntimeError as error:
        return first_line(error)
    return "" if total == 1000 else f"the sum of 1000 ones is {total:g}"


def check_architecture(arch: str, built_for: Sequence[str], place: Place) -> Iterator[Finding]:
    """Check that the build of torch has kernels for an AMD chip.

    Args:
        arch: LLVM's name of the chip itself, such as gfx1031; empty when unknown.
        built_for: the architectures of the build.
        place: the machine, for HSA_OVERRIDE_GFX_VERSION in its environment.
    """
    override = place.environ.get("HSA_OVERRIDE_GFX_VERSION", "")
    shown = ", ".join(place.shown(*_ROCM_VARIABLES))
    if not arch:
        return
    if override:
        yield warn(
            "torch",
            f"{shown} makes a chip run another chip's kernels, which hangs some chips",
            "unset HSA_OVERRIDE_GFX_VERSION",
        )
    chip = chips().get(arch)
    if chip is not None and chip.facts:
        yield ok("torch", f"{arch} ({chip.products}), as reported {chip.facts}")
    if arch in built_for:
        yield ok("torch", f"torch has kernels for {arch}" + (shown and f" ({shown})"))
        return
    if chip is not None and chip.builds:
        hint = "RTVFI_TORCH=rocm ./run doctor installs a build that has them"
    else:
        hint = "no ROCm build of torch has them: --device cpu plays without the card"
    yield fail("torch", f"torch has no kernels for {arch}, only for {', '.join(built_for)}", hint)


def check_miopen(place: Place) -> Iterator[Finding]:
    """Check the folders where MIOpen stores kernels; without them every start searches them for
    minutes.
    """
    home = Path(place.environ.get("HOME") or "/nonexistent")
    folders = {
        "choices": place.environ.get("MIOPEN_USER_DB_PATH") or home / ".config/miopen",
        "kernels": place.environ.get("MIOPEN_CUSTOM_CACHE_DIR") or home / ".cache/miopen",
    }
    for what, path in folders.items():
        folder = Path(path)
        if not _is_writable(folder):
            yield warn(
                "miopen",
                f"its {what} cannot be stored in {folder}: every start searches for kernels again",
                "make the folder writable",
            )
            continue
        files = [f for f in folder.rglob("*") if f.is_file()] if folder.is_dir() else []
        held = sum(f.stat().st_size for f in files)
        state = f"{size(held)} in {len(files)} files" if files else "nothing yet"
        yield ok("miopen", f"{what}: {state} in {folder}", bytes=held)
        if not files:
            yield warn(
                "miopen", f"no {what} yet: the first film starts slowly", command_line("warmup")
            )
    switches = [name for name in place.environ if re.match(r"MIOPEN_(DEBUG|DISABLE)_", name)]
    if switches:
        yield warn(
            "miopen", f"switches for experts are set: {', '.join(sorted(switches))}", "unset them"
        )
    if modes := ", ".join(place.shown("MIOPEN_FIND_MODE", "MIOPEN_FIND_ENFORCE")):
        yield ok("miopen", modes)


def _is_writable(folder: Path) -> bool:
    """Whether files can be created in a folder, or in its nearest existing parent."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return folder.is_dir() and os.access(folder, os.W_OK)
    except OSError:
        return False
