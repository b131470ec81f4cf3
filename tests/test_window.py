"""The window: mpv's options, said in one sentence when they are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from rtvfi import window
from rtvfi.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.mpv

QUIET = (("vo", "null"), ("ao", "null"), ("osc", "no"), ("load-scripts", "no"), ("ytdl", "no"))
NO_CONFIG = (*QUIET, ("config", "no"))


@pytest.fixture
def open_one() -> Iterator[Any]:
    opened: list[Any] = []

    def open_one(*options: tuple[str, str]) -> Any:
        opened.append(window.open_window(options))
        return opened[-1]

    yield open_one
    for player in opened:
        player.terminate()


def test_an_unknown_option_is_named() -> None:
    with pytest.raises(UsageError, match='mpv has no option "no-such-thing"'):
        window.open_window((*NO_CONFIG, ("no-such-thing", "1")))


def test_a_wrong_value_is_named_with_its_option() -> None:
    with pytest.raises(UsageError, match='mpv refuses "loud" for its option "volume"'):
        window.open_window((*NO_CONFIG, ("volume", "loud")))


def test_the_command_line_wins_over_mpv_conf(open_one: Any, tmp_path: Path) -> None:
    (tmp_path / "mpv.conf").write_text("volume=40\nspeed=1.5\n")
    player = open_one(*QUIET, ("config-dir", str(tmp_path)), ("volume", "70"))
    assert player["volume"] == 70
    assert player["speed"] == 1.5


def test_it_behaves_as_mpv_does(open_one: Any) -> None:
    player = open_one(*NO_CONFIG)
    assert player["input-default-bindings"] is True
    assert player["idle"] == "once"


def test_our_track_number_is_not_remembered_for_later(open_one: Any) -> None:
    player = open_one(*NO_CONFIG)
    assert "vid" not in player["watch-later-options"]
    assert "volume" in player["watch-later-options"]


def test_every_key_leads_to_a_message_that_is_handled(open_one: Any) -> None:
    player = open_one(*NO_CONFIG)
    handlers: dict[str, Any] = {message: lambda *_: None for message, _ in window.KEYS.values()}
    window.bind(player, handlers)
    bound = {binding["key"]: binding["cmd"] for binding in player.input_bindings}
    for key in window.KEYS:
        assert key in bound


def test_what_is_said_to_a_player_that_has_ended_reaches_the_log(
    open_one: Any, caplog: pytest.LogCaptureFixture
) -> None:
    screen = window.Screen()
    player = open_one(*NO_CONFIG)
    screen.open(player)
    player.terminate()
    with caplog.at_level("INFO"):
        screen.say("recording stopped")
    assert "recording stopped" in caplog.messages
