"""Which device networks get after its self-test, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import torch
from scripts import run_script

from rtvfi.core.errors import DeviceError
from rtvfi.core.hardware import machine, verdict
from rtvfi.core.hardware.verdict import FORMS, Verdict
from rtvfi.engine import trusted
from rtvfi.engine.trusted import Trust, is_gpu_wanted, offline

if TYPE_CHECKING:
    from pathlib import Path

PASSED = Verdict(form=FORMS[0], name="Radeon", library="MIOpen")
FAILED = replace(PASSED, form=None, failures=("it hung",))
GPU = torch.device("cuda")


def device_of(name: str) -> torch.device:
    """What a machine with a GPU gives."""
    return torch.device("cpu") if name == "cpu" else GPU


class FakeTrial:
    """Comes to a verdict at once."""

    verdicts: ClassVar[list[Verdict | None]] = []
    devices: ClassVar[list[str]] = []

    def __init__(self, device: str) -> None:
        self.devices.append(device)

    def verdict(self) -> Verdict | None:
        return self.verdicts.pop(0)

    def abandon(self) -> None: ...


@pytest.fixture(autouse=True)
def _gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine with a GPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(machine, "torch_version", lambda: "2.12.0+rocm7.14.0")
    monkeypatch.setattr(
        machine, "gpus", lambda root=machine.ROOT: [machine.Gpu("amd", "navi", "gfx1100")]
    )
    monkeypatch.setattr(trusted, "Trial", FakeTrial)
    monkeypatch.setattr(trusted, "resolve_device", device_of)
    monkeypatch.setattr(FakeTrial, "verdicts", [])
    monkeypatch.setattr(FakeTrial, "devices", [])
    monkeypatch.setattr(torch.backends.cudnn, "enabled", True)


def verdicts_are(*verdicts: Verdict | None) -> list[str]:
    FakeTrial.verdicts[:] = verdicts
    return FakeTrial.devices


@pytest.mark.parametrize("name", ["auto", "cuda:1", "rocm"])
def test_a_gpu_is_tested_once_and_then_known(name: str) -> None:
    devices = verdicts_are(PASSED)
    assert Trust(name).is_due
    for _ in range(2):
        found = Trust(name).compute()
        assert (found.device, found.dtype, found.remark) == (GPU, torch.float16, "")
    assert devices == ["cuda:1" if ":" in name else "cuda"]
    assert not Trust(name).is_due


@pytest.mark.parametrize(
    ("form", "dtype", "has_library"),
    [
        (FORMS[1], torch.float32, True),
        (FORMS[2], torch.float16, False),
        (FORMS[3], torch.float32, False),
    ],
)
def test_the_form_found_is_the_form_used(form: Any, dtype: torch.dtype, has_library: bool) -> None:
    verdicts_are(replace(PASSED, form=form, failures=("it was wrong",)))
    found = Trust("auto").compute()
    assert (found.device, found.dtype) == (GPU, dtype)
    assert "it was wrong" in found.remark
    assert torch.backends.cudnn.enabled == has_library


def test_auto_goes_on_with_the_processor_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    verdicts_are(FAILED)
    found = offline("auto")
    assert (found.device.type, found.dtype) == ("cpu", torch.float32)
    assert "Radeon failed its self-test" in caplog.text


def test_a_gpu_asked_for_by_name_fails_and_says_how_to_insist() -> None:
    verdicts_are(FAILED)
    with pytest.raises(DeviceError, match=r'"cuda:0" failed its self-test: it hung') as caught:
        Trust("cuda:0").compute()
    assert "--selftest off" in caught.value.hint
    # the next start knows at once
    with pytest.raises(DeviceError, match="failed its self-test"):
        Trust("cuda:0").check()


def test_who_insists_gets_the_gpu_unverdicts_are() -> None:
    verdict.keep("cuda:0", FAILED)
    found = Trust("cuda:0", "off").compute()
    assert (found.device, found.dtype) == (GPU, torch.float16)
    assert FakeTrial.devices == []


def test_again_tests_what_is_known() -> None:
    verdict.keep("auto", FAILED)
    verdicts_are(PASSED)
    trust = Trust("auto", "again")
    assert trust.compute().device == GPU
    assert trust.compute().device == GPU
    assert FakeTrial.devices == ["cuda"]
    assert verdict.kept("auto") == PASSED


def test_a_full_memory_is_not_kept() -> None:
    verdicts_are(replace(FAILED, is_final=False))
    assert Trust("auto").compute().device.type == "cpu"
    assert Trust("auto").is_due


def test_what_fails_beside_a_window_is_for_rendering_only() -> None:
    verdict.keep("auto", replace(PASSED, fails_beside_window=True, failures=("SIGSEGV",)))
    assert Trust("auto", is_live=True).compute().device.type == "cpu"
    assert Trust("auto").compute().device == GPU


def test_a_torch_that_crashes_is_not_imported() -> None:
    verdicts_are(replace(FAILED, is_torch_broken=True))
    with pytest.raises(DeviceError, match="torch cannot be loaded here") as caught:
        Trust("auto").compute()
    assert "--model dis" in caught.value.hint


def test_no_device_found_leaves_the_choice_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trusted, "resolve_device", lambda name: torch.device("cpu"))
    verdicts_are(None)
    assert Trust("auto").compute().device.type == "cpu"
    assert Trust("auto").is_due  # nothing was found out


def test_a_cache_that_cannot_be_written_costs_a_test_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    verdicts_are(PASSED)
    assert Trust("auto").compute().device == GPU


def test_an_abandoned_test_is_not_begun() -> None:
    trust = Trust("auto")
    trust.abandon()
    trust.prove()
    assert FakeTrial.devices == []


@pytest.mark.parametrize(
    ("name", "version", "is_wanted"),
    [
        ("cpu", "2.13.0+cu130", False),
        ("auto", "2.13.0+cpu", False),
        ("auto", None, False),
        ("auto", "2.13.0+cu130", True),
        ("auto", "2.13.0", True),
        ("cuda:0", "2.13.0+cu130", True),
    ],
)
def test_only_what_can_be_a_gpu_is_verdicts_are(
    monkeypatch: pytest.MonkeyPatch, name: str, version: str | None, is_wanted: bool
) -> None:
    monkeypatch.setattr(machine, "torch_version", lambda: version)
    assert is_gpu_wanted(name) == is_wanted


def test_without_a_gpu_nothing_is_verdicts_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "gpus", lambda root=machine.ROOT: [])
    assert not is_gpu_wanted("auto")


def test_what_torch_reads_is_set_before_it_is_imported() -> None:
    script = """
import os, sys
os.environ.pop("OMP_WAIT_POLICY", None)
class Look:
    def find_spec(self, name, *_):
        if name == "torch":
            print("waits:", os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Look())
from rtvfi.engine.trusted import Trust
Trust("cpu").compute()
"""
    done = run_script(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "waits: passive"
