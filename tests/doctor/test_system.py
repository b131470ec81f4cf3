from __future__ import annotations

import os
from importlib import metadata
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.hardware import machine
from rtvfi.doctor import system
from rtvfi.doctor.finding import Place

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rtvfi.doctor.finding import Level

    Packages = Callable[..., list[tuple[Level, str]]]

GOOD = {"av": "18.1.0", "mpv": "1.0.8", "numpy": "2.4.6", "platformdirs": "4.14.7"}
GOOD |= {
    "opencv-python-headless": "5.0.0.93",
    "rich": "15.0.0",
    "safetensors": "0.8.0",
    "torch": "2.13.0+cpu",
}


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> Packages:
    """What is found where ``GOOD`` is installed, but for some changes."""

    def found(**changes: str | None) -> list[tuple[Level, str]]:
        here = {**GOOD, **changes}

        def version(name: str) -> str:
            found = here[name]
            if found is None:
                raise metadata.PackageNotFoundError(name)
            return found

        monkeypatch.setattr(metadata, "version", version)
        return [(f.level, f.text) for f in system.check_python(Place({}))][1:]

    return found


def test_every_package_of_the_project_is_looked_for(root: Path) -> None:
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    wanted = {r.name: r.specifier for r in map(Requirement, project["dependencies"])}
    assert wanted.keys() == system.PACKAGES.keys()
    for name, (least, below) in system.PACKAGES.items():
        assert wanted[name].contains(f"{least[0]}.{least[1]}.9"), name
        assert not wanted[name].contains(f"{below[0]}.{below[1]}.0"), name
        assert not wanted[name].contains(f"{least[0] - 1}.99"), name


def test_packages_that_fit_are_one_line(packages: Packages) -> None:
    ((level, text),) = packages()
    assert level == "ok"
    assert "torch 2.13.0+cpu" in text


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("av", "19.0.0", "av is 19.0.0, expected 18.1 or newer, below 19.0"),
        ("av", "18.0.9", "expected 18.1 or newer"),
        ("numpy", "1.26.4", "expected 2.0 or newer"),
        ("rich", None, "rich is not installed"),
    ],
)
def test_packages_that_do_not_fit_fail(
    packages: Packages, name: str, version: str | None, said: str
) -> None:
    ((level, text),) = packages(**{name: version})
    assert level == "fail"
    assert said in text


def test_a_version_of_any_form_is_read(packages: Packages) -> None:
    ((level, _),) = packages(torch="2.14.0a0+gitabc", rich="15")
    assert level == "ok"


def put(root: Path, name: str, text: str = "") -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def told(root: Path) -> dict[str, str]:
    return {f.text: f.level for f in system.check_machine(Place({}, root))}


def test_little_memory_is_a_warning(tmp_path: Path) -> None:
    put(tmp_path, "proc/meminfo", "MemTotal:  8000000 kB\nMemAvailable:  900000 kB\n")
    assert told(tmp_path)["memory 8.2 GB, 922 MB free"] == "warn"
    put(tmp_path, "proc/meminfo", "MemTotal:  8000000 kB\nMemAvailable:  7000000 kB\n")
    assert told(tmp_path)["memory 8.2 GB, 7.2 GB free"] == "ok"


def test_a_containers_limit_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "sys/fs/cgroup/cpu.max", "150000 100000\n")
    monkeypatch.setattr(machine, "num_cores", lambda: 4)
    assert told(tmp_path)["a container limits this process to the time of 1.5 cores"] == "warn"
    monkeypatch.setattr(machine, "num_cores", lambda: 1)
    assert not any("container" in text for text in told(tmp_path))


def test_a_compute_driver_of_others_fails_and_names_the_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "dev/kfd")
    assert "fail" not in told(tmp_path).values()
    monkeypatch.setattr(os, "access", lambda *_: False)
    (bad,) = [f for f in system.check_machine(Place({}, tmp_path)) if f.level == "fail"]
    assert "compute driver" in bad.text
    assert bad.hint


def test_threads_by_hand_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", GOOD.__getitem__)
    *_, last = system.check_python(Place({"OMP_NUM_THREADS": "1"}))
    assert (last.level, last.text) == ("warn", "OMP_NUM_THREADS=1 limits the cores used")


@pytest.mark.parametrize(("setting", "level"), [("auto", "ok"), ("high", "ok"), ("low", "warn")])
def test_a_setting_that_keeps_clocks_low_is_named(tmp_path: Path, setting: str, level: str) -> None:
    node = "sys/class/kfd/kfd/topology/nodes/1/properties"
    put(tmp_path, "dev/kfd")
    put(tmp_path, node, "gfx_target_version 110000\ndrm_render_minor 128\n")
    folder = "sys/class/drm/renderD128/device"
    put(tmp_path, f"{folder}/power_dpm_force_performance_level", f"{setting}\n")
    put(tmp_path, f"{folder}/gpu_busy_percent", "3\n")
    (finding,) = system.check_power(tmp_path)
    assert finding.level == level
    assert f"3 % busy, power {setting}" in finding.text
    assert ("echo auto" in finding.hint) == (level == "warn")


def test_a_container_without_render_nodes_is_told_what_it_lacks(tmp_path: Path) -> None:
    put(tmp_path, "dev/kfd")
    node = "sys/class/kfd/kfd/topology/nodes/1/properties"
    put(tmp_path, node, "gfx_target_version 110000\ndrm_render_minor 128\n")
    said = [f for f in system.check_machine(Place({}, tmp_path)) if f.level == "fail"]
    assert [f.text.endswith("renderD128 is missing, without which ROCm sees no GPU") for f in said]
    assert "--device /dev/dri" in said[0].hint
    put(tmp_path, "dev/dri/renderD128")
    assert not [f for f in system.check_machine(Place({}, tmp_path)) if f.level == "fail"]
