from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rtvfi import machine
from rtvfi.doctor import compute
from rtvfi.doctor.finding import Place

if TYPE_CHECKING:
    from pathlib import Path

KERNELS = ("gfx906", "gfx90a", "gfx1030", "gfx1100", "gfx1101")


def levels(root: Path, monkeypatch: pytest.MonkeyPatch, version: str | None) -> list[str]:
    monkeypatch.setattr(machine, "torch_version", lambda: version)
    findings = list(compute.check_torch(Place({}, root)))
    assert all(f.hint for f in findings if f.level != "ok")
    return [f.level for f in findings]


@pytest.mark.parametrize(
    ("driver", "version", "level"),
    [
        (None, "2.13.0+cpu", "ok"),
        (None, "2.13.0+rocm7.2", "warn"),
        ("dev/kfd", "2.13.0+rocm7.2", "ok"),
        ("dev/kfd", "2.13.0+cpu", "warn"),
        ("dev/kfd", "2.13.0+cu130", "warn"),
        ("proc/driver/nvidia/version", "2.13.0+cu130", "ok"),
        ("proc/driver/nvidia/version", "2.13.0", "ok"),
        ("proc/driver/nvidia/version", "2.13.0+cpu", "warn"),
        ("dev/kfd", None, "fail"),
    ],
)
def test_the_build_is_held_against_the_hardware(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    driver: str | None,
    version: str | None,
    level: str,
) -> None:
    if driver:
        (tmp_path / driver).parent.mkdir(parents=True)
        (tmp_path / driver).touch()
    assert levels(tmp_path, monkeypatch, version) == [level]


def test_the_wrong_build_is_told_how_to_get_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    monkeypatch.setattr(machine, "torch_version", lambda: "2.13.0+cpu")
    (finding,) = compute.check_torch(Place({}, tmp_path))
    assert "RTVFI_TORCH=rocm ./run" in finding.hint


@pytest.mark.parametrize(
    ("arch", "override", "level", "said"),
    [
        ("gfx1100", "", "ok", "has kernels for gfx1100"),
        ("gfx1031", "", "fail", "export HSA_OVERRIDE_GFX_VERSION=10.3.0"),
        ("gfx1031", "10.3.0", "ok", "lends it those"),
        ("gfx1103", "", "fail", "HSA_OVERRIDE_GFX_VERSION=11.0.0"),
        ("gfx1100", "10.3.0", "warn", "unset HSA_OVERRIDE_GFX_VERSION"),
        ("gfx803", "", "fail", "does not support this card"),
        ("gfx1031", "nonsense", "fail", "HSA_OVERRIDE_GFX_VERSION=10.3.0"),
    ],
)
def test_a_chip_without_kernels_is_lent_those_of_its_family(
    arch: str, override: str, level: str, said: str
) -> None:
    place = Place({"HSA_OVERRIDE_GFX_VERSION": override})
    (finding,) = compute.check_architecture(arch, KERNELS, place)
    assert finding.level == level
    assert said in finding.text + finding.hint


def test_the_overridden_chip_is_spelt_as_llvm_spells_it() -> None:
    assert compute.overridden("9.0.10") == "gfx90a"
    assert compute.nearest("gfx90c", ("gfx90a",)) == ("gfx90a", "9.0.10")


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
