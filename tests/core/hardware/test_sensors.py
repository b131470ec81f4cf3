"""What an AMD GPU is doing, from trees that are not the kernel's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from rtvfi.core.hardware.machine import Gpu, gpus
from rtvfi.core.hardware.sensors import SETTING, Reading, Sensors, folder_of

if TYPE_CHECKING:
    from pathlib import Path

SCLK = "0: 500Mhz \n1: 1200Mhz *\n2: 2400Mhz \n"
PROFILES = """PROFILE_INDEX(NAME) CLOCK_TYPE(NAME) FPS MinActiveFreqType
 0 BOOTUP_DEFAULT :
 1 3D_FULL_SCREEN*:
 2   POWER_SAVING :
"""
FILES = {
    "pp_dpm_sclk": SCLK,
    "gpu_busy_percent": "87\n",
    "mem_info_vram_used": f"{3 << 30}\n",
    "mem_info_vram_total": f"{16 << 30}\n",
    "mem_info_gtt_used": f"{1 << 20}\n",
    SETTING: "auto\n",
    "pp_power_profile_mode": PROFILES,
    "hwmon/hwmon3/freq1_input": "1187000000\n",
}


def card(
    root: Path, render: int = 128, chip: int = 110000, files: dict[str, str] | None = None
) -> Path:
    """A GPU of a fake machine; its folder."""
    (root / "dev").mkdir(exist_ok=True)
    (root / "dev/kfd").touch()
    node = root / f"sys/class/kfd/kfd/topology/nodes/{render}"
    node.mkdir(parents=True)
    (node / "properties").write_text(f"gfx_target_version {chip}\ndrm_render_minor {render}\n")
    folder = root / f"sys/class/drm/renderD{render}/device"
    for name, text in (FILES if files is None else files).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_all_that_the_kernel_tells_is_read(tmp_path: Path) -> None:
    found = Sensors(card(tmp_path)).read()
    assert found == Reading(
        clock_mhz=1187,
        highest_mhz=2400,
        busy_percent=87,
        used_bytes=3 << 30,
        total_bytes=16 << 30,
        shared_bytes=1 << 20,
        level="auto",
        profile="3D_FULL_SCREEN",
    )
    assert found.text == (
        "87 % busy, 1187 of 2400 MHz, 3.0 of 16.0 GB, power auto (3D_FULL_SCREEN)"
    )


def test_a_kernel_that_tells_little_is_no_trouble(tmp_path: Path) -> None:
    folder = card(tmp_path, files={"gpu_busy_percent": "5\n", "pp_dpm_sclk": "nonsense"})
    found = Sensors(folder).read()
    assert found == Reading(busy_percent=5)
    assert found.text == "5 % busy"
    assert not found.is_held_back
    assert Sensors(tmp_path / "nothing").read().text == ""


def test_main_memory_that_graphics_of_a_processor_use_is_told_apart(tmp_path: Path) -> None:
    folder = card(tmp_path, files=FILES | {"mem_info_gtt_used": f"{5 << 30}\n"})
    assert "3.0 of 16.0 GB, 5.0 GB of main memory" in Sensors(folder).read().text


def test_the_card_that_computes_is_looked_at(tmp_path: Path) -> None:
    card(tmp_path, render=128, chip=100306)  # for the display only
    wanted = card(tmp_path, render=129)
    assert gpus(tmp_path)[1] == Gpu("amd", "an AMD GPU", "gfx1100", 129)
    assert folder_of(tmp_path) == wanted


def test_a_machine_without_such_a_card_has_no_folder(tmp_path: Path) -> None:
    assert folder_of(tmp_path) is None
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/kfd").touch()
    assert folder_of(tmp_path) is None


LOW = Reading(clock_mhz=200, highest_mhz=1100, busy_percent=99, level="auto")


def test_clocks_that_stay_low_under_load_are_said_with_the_setting(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    said = [sensors.remark(LOW) for _ in range(5)]
    assert said[:3] == ["", "", ""]
    assert said[3] == f"the GPU is busy at 200 of 1100 MHz: {tmp_path / SETTING} is auto"


@pytest.mark.parametrize(
    "other",
    [replace(LOW, clock_mhz=1000), replace(LOW, busy_percent=20), replace(LOW, busy_percent=None)],
)
def test_a_moment_of_low_clocks_is_not_said(tmp_path: Path, other: Reading) -> None:
    sensors = Sensors(tmp_path)
    assert not any(sensors.remark(reading) for reading in (LOW, LOW, LOW, other) * 3)
