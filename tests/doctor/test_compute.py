from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.hardware import machine
from rtvfi.core.hardware.verdict import FORMS, Verdict, keep
from rtvfi.doctor import compute
from rtvfi.doctor.finding import Place

if TYPE_CHECKING:
    from pathlib import Path

KERNELS = ("gfx906", "gfx90a", "gfx1030", "gfx1100", "gfx1101")


@pytest.fixture
def machine_with(driver: str | None, tmp_path: Path) -> Path:
    """The files of a machine with that driver; None: with none."""
    if driver:
        (tmp_path / driver).parent.mkdir(parents=True)
        (tmp_path / driver).touch()
    return tmp_path


BUILDS: dict[str | None, dict[str | None, str]] = {
    None: {"2.13.0+cpu": "ok", "2.13.0+rocm7.2": "warn"},
    "dev/kfd": {
        "2.13.0+rocm7.2": "ok",
        "2.13.0+cpu": "warn",
        "2.13.0+cu130": "warn",
        None: "fail",
    },
    "proc/driver/nvidia/version": {
        "2.13.0+cu130": "ok",
        "2.13.0": "ok",
        "2.13.0+cpu": "warn",
    },
}
"""What is said of a build of torch beside a driver."""


@pytest.mark.parametrize(
    ("driver", "version"), [(driver, build) for driver in BUILDS for build in BUILDS[driver]]
)
def test_the_build_is_held_against_the_hardware(
    monkeypatch: pytest.MonkeyPatch, machine_with: Path, driver: str | None, version: str | None
) -> None:
    monkeypatch.setattr(machine, "torch_version", lambda: version)
    (finding,) = compute.check_torch(Place({}, machine_with))
    assert finding.level == BUILDS[driver][version]
    assert finding.hint or finding.level == "ok"


@pytest.mark.parametrize("driver", ["dev/kfd"])
def test_the_wrong_build_is_told_how_to_get_the_right_one(
    monkeypatch: pytest.MonkeyPatch, machine_with: Path
) -> None:
    monkeypatch.setattr(machine, "torch_version", lambda: "2.13.0+cpu")
    (finding,) = compute.check_torch(Place({}, machine_with))
    assert "RTVFI_TORCH=rocm ./run" in finding.hint


@pytest.mark.parametrize(
    ("arch", "override", "levels", "said"),
    [
        ("gfx1100", "", ["ok"], "has kernels for gfx1100"),
        ("gfx1031", "", ["ok", "fail"], "RTVFI_TORCH=rocm ./run doctor installs a build"),
        ("gfx1031", "10.3.0", ["warn", "ok", "fail"], "unset HSA_OVERRIDE_GFX_VERSION"),
        ("gfx1103", "", ["ok", "fail"], "2026-04: HSA_OVERRIDE_GFX_VERSION makes it hang"),
        ("gfx1100", "10.3.0", ["warn", "ok"], "unset HSA_OVERRIDE_GFX_VERSION"),
        ("gfx803", "", ["fail"], "--device cpu plays without the card"),
    ],
)
def test_a_chip_is_held_against_the_kernels_of_the_build(
    arch: str, override: str, levels: list[str], said: str
) -> None:
    place = Place({"HSA_OVERRIDE_GFX_VERSION": override} if override else {})
    findings = list(compute.check_architecture(arch, KERNELS, place))
    assert [finding.level for finding in findings] == levels
    text = " ".join(f"{finding.text} {finding.hint}" for finding in findings)
    assert said in text
    assert "export HSA_OVERRIDE" not in text


# --- what torch sees -------------------------------------------------------------------------


class FakeTorch(types.ModuleType):
    """As much of torch as the check looks at: one GPU, or none."""

    def __init__(self, *, hip: str | None, total: float | None, arch: str = "gfx1100") -> None:
        super().__init__("torch")
        self.version = types.SimpleNamespace(hip=hip, cuda=None if hip else "13.0")
        properties = types.SimpleNamespace(
            name="a card", total_memory=16 * 10**9, gcnArchName=f"{arch}:sramecc+"
        )
        self.cuda = types.SimpleNamespace(
            is_available=lambda: total is not None,
            get_arch_list=lambda: list(KERNELS),
            device_count=lambda: 1,
            get_device_properties=lambda _: properties,
        )
        self._total = total

    def ones(self, _count: int, device: str) -> FakeTorch:
        assert device == "cuda:0"
        return self

    def sum(self) -> FakeTorch:
        if self._total == -1:
            raise RuntimeError("HIP error: invalid device function\nCompile with ...")
        return self

    def item(self) -> float | None:
        return self._total


def seen(
    monkeypatch: pytest.MonkeyPatch, torch: FakeTorch, *gpus: machine.Gpu, **environ: str
) -> list[tuple[str, str]]:
    monkeypatch.setitem(sys.modules, "torch", torch)
    version = "2.13.0+rocm7.2" if torch.version.hip else "2.13.0+cu130"
    monkeypatch.setattr(machine, "torch_version", lambda: version)
    monkeypatch.setattr(machine, "gpus", lambda _: list(gpus))
    findings = [f for f in compute.check_torch(Place(environ)) if f.topic == "torch"][1:]
    return [(f.level, f"{f.text} {f.hint}") for f in findings]


AMD = machine.Gpu("amd", "navi31", "gfx1100")
NVIDIA = machine.Gpu("nvidia", "a card")


def test_a_gpu_that_computes_is_good(monkeypatch: pytest.MonkeyPatch) -> None:
    (kernels, card) = seen(monkeypatch, FakeTorch(hip="7.2", total=1000), AMD)
    assert kernels == ("ok", "torch has kernels for gfx1100 ")
    assert card == ("ok", "a card, 16.0 GB: computes ")
    (card,) = seen(monkeypatch, FakeTorch(hip=None, total=1000), NVIDIA)
    assert card[0] == "ok"


@pytest.mark.parametrize(
    ("total", "said"),
    [(-1, "HIP error: invalid device function"), (7, "the sum of 1000 ones is 7")],
)
def test_a_gpu_that_cannot_compute_fails(
    monkeypatch: pytest.MonkeyPatch, total: float, said: str
) -> None:
    *_, (level, text) = seen(monkeypatch, FakeTorch(hip="7.2", total=total), AMD)
    assert level == "fail"
    assert said in text
    assert "Compile with" not in text


def test_the_chip_is_told_by_the_kernel_and_not_by_torch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    card = machine.Gpu("amd", "navi33", "gfx1032")
    torch = FakeTorch(hip="7.2", total=1000, arch="gfx1030")
    found = seen(monkeypatch, torch, card, HSA_OVERRIDE_GFX_VERSION="10.3.0")
    assert [level for level, _ in found] == ["warn", "fail", "ok"]
    assert "no kernels for gfx1032" in found[1][1]


def test_a_gpu_that_torch_does_not_see_is_said_with_what_may_hide_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ((level, text),) = seen(monkeypatch, FakeTorch(hip="7.2", total=None), AMD)
    assert level == "warn"
    assert "groups render and video" in text
    torch = FakeTorch(hip=None, total=None)
    ((level, text),) = seen(monkeypatch, torch, NVIDIA, CUDA_VISIBLE_DEVICES="7")
    assert "unset CUDA_VISIBLE_DEVICES" in text


# --- MIOpen ----------------------------------------------------------------------------------


def test_miopens_folders_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / ".cache/miopen").mkdir(parents=True)
    (tmp_path / ".cache/miopen/kernels.db").write_bytes(b"1234")
    environ = {"HOME": str(tmp_path), "MIOPEN_DEBUG_CONV_DIRECT": "hunter2"}
    findings = list(compute.check_miopen(Place(environ)))
    texts = " ".join(f.text for f in findings)
    assert "4 B in 1 files" in texts
    assert "MIOPEN_DEBUG_CONV_DIRECT" in texts
    assert "hunter2" not in texts
    assert [f.level for f in findings] == ["ok", "warn", "ok", "warn"]


def test_a_cache_that_cannot_be_written_costs_every_start(tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    environ = {
        "MIOPEN_USER_DB_PATH": str(tmp_path / "a file" / "db"),
        "MIOPEN_CUSTOM_CACHE_DIR": str(tmp_path / "a file"),
    }
    assert [f.level for f in compute.check_miopen(Place(environ))] == ["warn", "warn"]


# --- what the self-test found ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "level", "words"),
    [
        (None, "ok", "tested before its first use"),
        (
            Verdict(form=FORMS[0], name="Radeon", date="2026-11-30", seconds=9),
            "ok",
            "Radeon passed",
        ),
        (
            Verdict(form=FORMS[1], failures=("half is off",), date="2026-11-30"),
            "warn",
            "float32, as its self-test demands (half is off); found on 2026-11-30",
        ),
        (
            Verdict(form=None, failures=("it hung", "it crashed"), date="2026-11-30"),
            "warn",
            "the processor computes (it hung); found on 2026-11-30; also: it crashed",
        ),
    ],
)
def test_the_verdict_on_the_gpu_is_shown(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    found: Verdict | None,
    level: str,
    words: str,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if found is not None:
        keep("auto", found, tmp_path)
    (finding,) = compute.check_selftest(Place({}, tmp_path))
    assert finding.level == level
    assert words in finding.text
    assert level == "ok" or "selftest" in finding.hint
