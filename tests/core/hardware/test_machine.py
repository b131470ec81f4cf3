from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.machine import Gpu

if TYPE_CHECKING:
    from pathlib import Path

CPUINFO = "processor\t: 0\nmodel name\t: Some CPU 9000\nflags\t\t: fpu avx2 avx512f\n"


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def amd(root: Path, *numbers: int) -> None:
    put(root, "dev/kfd", "")
    for node, number in enumerate(numbers):
        folder = f"sys/class/kfd/kfd/topology/nodes/{node}"
        put(root, f"{folder}/properties", f"cpu_cores_count 0\ngfx_target_version {number}\n")
        put(root, f"{folder}/name", "navi31\n" if number else "\n")


@pytest.mark.parametrize(
    ("number", "name"),
    [(110000, "gfx1100"), (100301, "gfx1031"), (90010, "gfx90a"), (110501, "gfx1151")],
)
def test_the_kernels_number_is_a_chip(number: int, name: str) -> None:
    assert machine.gfx(number) == name


def test_processors_are_no_gpus(tmp_path: Path) -> None:
    amd(tmp_path, 0, 110000)
    assert machine.gpus(tmp_path) == [Gpu("amd", "navi31", "gfx1100")]


def test_nvidias_card_comes_first(tmp_path: Path) -> None:
    amd(tmp_path, 110000)
    put(tmp_path, "proc/driver/nvidia/version", "NVRM version: NVIDIA Module  580.65.06  Build\n")
    put(tmp_path, "proc/driver/nvidia/gpus/0/information", "Model: \t\t NVIDIA X\nIRQ: 1\n")
    assert [gpu.vendor for gpu in machine.gpus(tmp_path)] == ["nvidia", "amd"]
    assert machine.gpus(tmp_path)[0].name == "NVIDIA X"
    assert machine.nvidia_driver(tmp_path) == "580.65.06"


def test_a_machine_of_nothing_has_an_answer_to_all(tmp_path: Path) -> None:
    assert machine.gpus(tmp_path) == []
    assert machine.nvidia_driver(tmp_path) is None
    assert machine.processor(tmp_path) == "unknown processor"
    assert machine.processor_flags(tmp_path) == frozenset()
    assert machine.memory_bytes(tmp_path) == (0, 0)


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000\n", 1.5), ("max 100000\n", None), ("", None)]
)
def test_a_containers_limit_is_read(tmp_path: Path, text: str, cores: float | None) -> None:
    put(tmp_path, "sys/fs/cgroup/cpu.max", text)
    assert machine.cores_granted(tmp_path) == cores


def test_the_fingerprint_changes_with_what_computes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "proc/cpuinfo", CPUINFO)
    seen = [machine.fingerprint(tmp_path)]
    assert "Some CPU 9000" in seen[0]
    amd(tmp_path, 110000)
    seen.append(machine.fingerprint(tmp_path))
    monkeypatch.setattr(machine, "torch_version", lambda: "9.9+rocm")
    seen.append(machine.fingerprint(tmp_path))
    monkeypatch.setattr(machine, "num_cores", lambda: 77)
    seen.append(machine.fingerprint(tmp_path))
    assert len(set(seen)) == 4
