"""mpv's context menu has our entries, whoever else fills it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from anympv import PATIENCE

from rtvfi.playing.controls import KEYS
from rtvfi.playing.mpv import menu, window

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.mpv

OPTIONS = {"vo": "null", "ao": "null", "osc": "no", "load-scripts": "no", "config": "no"}
OTHERS = [{"title": "Quit", "cmd": "quit"}]


@pytest.fixture
def player() -> Iterator[Any]:
    opened = window.open_window([*OPTIONS.items()])
    yield opened
    opened.terminate()


def has_menu(player: Any) -> bool:
    return "menu-data" in player.property_list


def titles(items: Any) -> list[str]:
    return [item["title"] for item in items or []]


def test_nested_lists_and_mappings_reach_mpv(player: Any) -> None:
    filters = [{"name": "hflip"}, {"name": "lavfi", "params": {"graph": "vflip"}}]
    menu._set(player, "vf", filters)
    assert [one["name"] for one in player.vf] == ["hflip", "lavfi"]
    assert player.vf[1]["params"] == {"graph": "vflip"}


def test_ours_stand_beside_others_and_come_back_when_the_menu_is_written_anew(player: Any) -> None:
    menu.offer(player, KEYS)
    if not has_menu(player):
        pytest.skip("an mpv without a menu")
    player.wait_for_property(
        "menu-data", lambda items: titles(items) == [menu.TITLE], timeout=PATIENCE
    )
    entries = player.menu_data[0]["submenu"]
    assert {item["shortcut"]: item["cmd"] for item in entries} == {
        key: f"script-message {message}" for key, (message, _) in KEYS.items()
    }
    assert titles(entries)[0] == "Interpolation on and off"
    both = ["Quit", menu.TITLE]
    menu._set(player, "menu-data", OTHERS)
    player.wait_for_property("menu-data", lambda items: titles(items) == both, timeout=PATIENCE)


@pytest.mark.parametrize("told", [None, "", [{"type": "separator"}, {"title": menu.TITLE}]])
def test_an_mpv_without_a_menu_or_with_ours_in_it_is_left_alone(told: Any) -> None:
    calls: list[Any] = []
    fake = SimpleNamespace(observe_property=lambda name, handler: calls.append((name, handler)))
    menu.offer(fake, KEYS)
    ((name, handler),) = calls
    assert name == "menu-data"
    handler(name, told)  # a player that was touched would complain
