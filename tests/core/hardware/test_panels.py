"""Between which rates a panel can vary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rtvfi.core.hardware.panels import panel_range, range_of

if TYPE_CHECKING:
    from pathlib import Path


def edid(low: int, high: int, place: int = 1, flags: int = 0) -> bytes:
    """A panel's sheet with the range in one of its four descriptors."""
    descriptor = b"\x00\x00\x00\xfd" + bytes([flags, low, high, 30, 160, 60]) + bytes(8)
    sheet = bytearray(128)
    sheet[54 + 18 * place : 72 + 18 * place] = descriptor
    return bytes(sheet)


def panel(root: Path, name: str, sheet: bytes, status: str = "connected") -> None:
    folder = root / "sys/class/drm" / name
    folder.mkdir(parents=True)
    (folder / "status").write_text(f"{status}\n")
    (folder / "edid").write_bytes(sheet)


@pytest.mark.parametrize("place", range(4))
def test_the_range_is_found_in_any_descriptor(place: int) -> None:
    assert range_of(edid(48, 144, place)) == (48, 144)


@pytest.mark.parametrize(("flags", "limits"), [(0, (48, 105)), (2, (48, 360)), (3, (303, 360))])
def test_fast_panels_count_on(flags: int, limits: tuple[int, int]) -> None:
    assert range_of(edid(48, 105, flags=flags)) == limits


@pytest.mark.parametrize("sheet", [b"", bytes(128), edid(48, 144)[:60], edid(144, 48)])
def test_a_sheet_without_a_range_gives_none(sheet: bytes) -> None:
    assert range_of(sheet) is None


def test_the_connected_panel_that_goes_highest_counts(tmp_path: Path) -> None:
    assert panel_range(tmp_path) is None
    panel(tmp_path, "card0-HDMI-A-1", edid(50, 75))
    panel(tmp_path, "card0-DP-1", edid(48, 144))
    panel(tmp_path, "card0-DP-2", edid(48, 240), status="disconnected")
    (tmp_path / "sys/class/drm/card0-DP-3").mkdir()
    assert panel_range(tmp_path) == (48, 144)
