"""Hardware of this machine, read from files of the kernel: no torch, no child processes."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path("/")
_NAMES: Final = ("memory.max", "memory.current")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU whose compute driver is loaded."""

    vendor: Literal["amd", "nvidia"]
    name: str
    arch: str = ""
    """LLVM's name of an AMD chip, such as gfx1100."""
    render: int = 0
    """Number of its render node, such as 128; 0 when unknown."""
    units: int = 0
    """Number of SIMD units; 0 when unknown."""


def read(path: Path) -> str:
    """The text of a system file; empty when it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def processor(root: Path = ROOT) -> str:
    """Model name of the processor."""
    found = re.search(r"^model name\s*:\s*(.+)$", read(root / "proc/cpuinfo"), re.MULTILINE)
    return found[1].strip() if found else "unknown processor"


def processor_flags(root: Path = ROOT) -> frozenset[str]:
    """The processor's instruction sets, by the kernel's names."""
    found = re.search(r"^flags\s*:\s*(.+)$", read(root / "proc/cpuinfo"), re.MULTILINE)
    return frozenset(found[1].split() if found else ())


def num_cores() -> int:
    """Number of cores that this process may use (its CPU affinity)."""
    return len(os.sched_getaffinity(0))


def cores_granted(root: Path = ROOT) -> float | None:
    """CPU limit of the container, in cores (2.5 = two and a half); None without a limit."""
    found = re.match(r"(\d+) (\d+)", read(root / "sys/fs/cgroup/cpu.max"))
    return int(found[1]) / int(found[2]) if found else None


def memory_bytes(root: Path = ROOT) -> tuple[int, int]:
    """Main memory in bytes: (total, available)."""
    numbers = dict(re.findall(r"^(\w+):\s+(\d+) kB", read(root / "proc/meminfo"), re.MULTILINE))
    total, available = (int(numbers.get(name, 0)) << 10 for name in ("MemTotal", "MemAvailable"))
    for limit, free in _granted(root):
        total, available = min(total, limit), min(available, free)
    return total, available


def _granted(root: Path) -> Iterator[tuple[int, int]]:
    """Bytes that each group of ours may take, and bytes that it has left.

    Source: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
    """
    groups = re.findall(r"^\d+:(memory)?:/?(.*)$", read(root / "proc/self/cgroup"), re.MULTILINE)
    for is_old, path in groups:
        top = root / "sys/fs/cgroup" / is_old
        names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if is_old else _NAMES
        for folder in (top / path, *(top / path).parents):
            limit, used = (read(folder / name).strip() for name in names)
            if limit.isdigit() and used.isdigit():
                kept = re.findall(r"^(?:in)?active_file (\d+)$", read(folder / "memory.stat"), re.M)
                yield int(limit), max(0, int(limit) - int(used) + sum(map(int, kept)))
            if folder == top:
                break


def nvidia_driver(root: Path = ROOT) -> str | None:
    """Version of NVIDIA's kernel driver; None when it is not loaded, empty when unknown."""
    path = root / "proc/driver/nvidia/version"
    if not path.exists():
        return "" if (root / "usr/lib/wsl/lib/nvidia-smi").exists() else None
    found = re.search(r"^NVRM version:.*?\s(\d{3,}\.[\d.]+)", read(path), re.MULTILINE)
    return found[1] if found else ""


def gpu_driver(root: Path = ROOT) -> str:
    """Version of the GPU's kernel driver if it is separate from the kernel (NVIDIA, AMD DKMS)."""
    amd = read(root / "sys/module/amdgpu/version").strip()
    return " ".join(filter(None, (nvidia_driver(root), amd)))


def kernel(root: Path = ROOT) -> str:
    """The kernel's release, such as 6.17.4."""
    return read(root / "proc/sys/kernel/osrelease").strip()


def gpus(root: Path = ROOT) -> list[Gpu]:
    """GPUs with a compute driver, NVIDIA's first (as ``run`` prefers them)."""
    return [*_nvidia(root), *_amd(root)]


def _nvidia(root: Path) -> list[Gpu]:
    if nvidia_driver(root) is None:
        return []
    sheets = sorted((root / "proc/driver/nvidia/gpus").glob("*/information"))
    models = [re.search(r"^Model:\s*(.+)$", read(sheet), re.MULTILINE) for sheet in sheets]
    return [Gpu("nvidia", model[1].strip()) for model in models if model] or [
        Gpu("nvidia", "an NVIDIA GPU")
    ]


def _amd(root: Path) -> list[Gpu]:
    if not (root / "dev/kfd").exists():
        return []
    found = []
    for node in sorted((root / "sys/class/kfd/kfd/topology/nodes").glob("*")):
        facts = dict(re.findall(r"^(\w+) (\d+)$", read(node / "properties"), re.MULTILINE))
        if version := int(facts.get("gfx_target_version", 0)):
            name = read(node / "name").strip()
            render = int(facts.get("drm_render_minor", 0))
            units = int(facts.get("simd_count", 0))
            found.append(Gpu("amd", name or "an AMD GPU", gfx(version), render, units))
    return found or [Gpu("amd", "an AMD GPU")]


def gfx(number: int) -> str:
    """LLVM's name of a chip from the kernel's number: 110001 is gfx1101, 90010 is gfx90a."""
    major, minor, step = number // 10000, number // 100 % 100, number % 100
    return f"gfx{major}{minor:x}{step:x}"


def torch_version() -> str | None:
    """Version of the installed torch with its label (2.13.0+cpu), without importing it."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return None


def fingerprint(root: Path = ROOT) -> str:
    """What speed depends on, in one line: processor, cores, GPUs, version of torch."""
    parts = [f"{processor(root)}, {num_cores()} cores"]
    parts += [" ".join(filter(None, (gpu.name, gpu.arch))) for gpu in gpus(root)]
    return "; ".join([*parts, f"torch {torch_version() or 'none'}"])
