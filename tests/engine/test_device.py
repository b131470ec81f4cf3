"""Which device is taken, and what torch leaves to the player."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
import torch

from rtvfi.core.errors import DeviceError, UsageError
from rtvfi.core.hardware import machine
from rtvfi.core.hardware.verdict import OWN_MASK
from rtvfi.engine import device
from rtvfi.engine.device import keep_freed_memory, resolve_device

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def _no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.version, "cuda", None)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    return monkeypatch


@pytest.mark.usefixtures("_no_gpu")
def test_auto_without_a_gpu_is_the_cpu() -> None:
    assert resolve_device("auto") == torch.device("cpu")


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize(("said", "mode"), [(None, "FAST"), ("NORMAL", "NORMAL")])
def test_miopen_searches_quickly_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, said: str | None, mode: str
) -> None:
    monkeypatch.setenv("MIOPEN_FIND_MODE", said or "")
    if said is None:
        monkeypatch.delenv("MIOPEN_FIND_MODE")
    resolve_device("auto")
    assert os.environ["MIOPEN_FIND_MODE"] == mode


@pytest.mark.usefixtures("two_gpus")
def test_auto_takes_the_gpu() -> None:
    assert resolve_device("auto") == torch.device("cuda")


@pytest.mark.usefixtures("two_gpus")
def test_the_cpu_is_the_cpu_beside_a_gpu() -> None:
    assert resolve_device("cpu") == torch.device("cpu")


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(("name", "number"), [("cuda", 0), ("cuda:0", 0), ("cuda:1", 1)])
def test_a_gpu_is_found_by_number(name: str, number: int) -> None:
    assert resolve_device(name) == torch.device("cuda", number)


@pytest.mark.usefixtures("two_gpus")
def test_a_number_too_high_says_how_many_there_are() -> None:
    with pytest.raises(DeviceError, match='"cuda:2" is not there, there are 2') as caught:
        resolve_device("cuda:2")
    assert caught.value.hint == "use cuda:0"


@pytest.mark.usefixtures("_no_gpu")
@pytest.mark.parametrize("name", ["cuda", "cuda:1", "rocm"])
def test_a_named_gpu_without_one_fails_and_says_what_torch_is_built_for(name: str) -> None:
    with pytest.raises(DeviceError, match=f'"{name}".*built for the CPU only') as caught:
        resolve_device(name)
    assert "--device auto" in caught.value.hint


@pytest.mark.usefixtures("two_gpus")
def test_rocm_is_not_cuda() -> None:
    with pytest.raises(DeviceError, match=r"built for CUDA 12\.8"):
        resolve_device("rocm")


def test_cuda_is_not_rocm(two_gpus: pytest.MonkeyPatch) -> None:
    two_gpus.setattr(torch.version, "hip", "6.4")
    assert resolve_device("rocm:1") == torch.device("cuda", 1)
    with pytest.raises(DeviceError, match=r"built for ROCm 6\.4"):
        resolve_device("cuda")


def test_keeping_freed_memory_is_harmless_twice() -> None:
    keep_freed_memory()
    keep_freed_memory()


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cpu:0", ""])
def test_a_device_of_no_known_kind_is_refused_wherever_it_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=r"--device is .*, expected auto, cpu"):
        resolve_device(name)


# --- which of several AMD GPUs ---------------------------------------------------------------


@pytest.fixture
def rocm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose torch is built for ROCm; GPUs are put into its files."""
    monkeypatch.setattr(machine, "torch_version", lambda: "2.12.0+rocm7.14.0")
    for name in device._MASKS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that what is set is taken back
    monkeypatch.setenv(OWN_MASK, "")
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    return tmp_path


def put(root: Path, *versions: int) -> None:
    for number, version in enumerate((0, *versions)):
        folder = root / f"sys/class/kfd/kfd/topology/nodes/{number}"
        folder.mkdir(parents=True)
        (folder / "properties").write_text(f"gfx_target_version {version}\n")


def test_a_card_hides_the_graphics_of_the_processor(rocm: Path) -> None:
    put(rocm, 100306, 110000)
    assert device.show_best_amd(rocm)
    assert os.environ["ROCR_VISIBLE_DEVICES"] == "1"


def test_one_gpu_hides_nothing(rocm: Path) -> None:
    put(rocm, 110000)
    assert device.show_best_amd(rocm)
    assert not os.environ["ROCR_VISIBLE_DEVICES"]


def test_what_only_drives_a_display_computes_nothing(rocm: Path) -> None:
    put(rocm, 100306)
    assert not device.show_best_amd(rocm)


def test_who_chose_a_gpu_is_obeyed(rocm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(rocm, 100306, 110000)
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "0")
    assert device.show_best_amd(rocm)
    assert not os.environ["ROCR_VISIBLE_DEVICES"]


def test_other_builds_of_torch_are_left_alone(rocm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(rocm, 100306)
    monkeypatch.setattr(machine, "torch_version", lambda: "2.13.0+cu130")
    assert device.show_best_amd(rocm)
