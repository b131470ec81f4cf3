"""The window: mpv's options, said in one sentence when they are wrong."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from clips import Clips, ClipSpec

from rtvfi.core.errors import UsageError
from rtvfi.playing.controls import KEYS
from rtvfi.playing.mpv import screen, window

if TYPE_CHECKING:
    from collections.abc import Iterator

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


class Opened(dict[str, Any]):
    """A player as far as it is asked: options by name, properties as attributes."""

    def __init__(self, **properties: Any) -> None:
        super().__init__({"vid": 2, "vo": [], **properties})
        self.__dict__ = self


@pytest.mark.parametrize(("start", "duration"), [("99:99:99", 13.5), ("14", 13.5), ("+1:30", 80.0)])
def test_a_start_beyond_the_end_is_said(start: str, duration: float) -> None:
    player: Any = Opened(duration=duration)
    said = f"--start {start} is beyond the end: the film lasts {duration:.1f} s"
    assert screen.beyond_end(player, start) == said


@pytest.mark.parametrize("start", ["1:30", "13", "-20", "50%", "#20"])
def test_nothing_is_said_of_any_other_start(start: str) -> None:
    player: Any = Opened(duration=91.0)
    assert not screen.beyond_end(player, start)


def test_nothing_is_said_where_nobody_knows_the_end() -> None:
    player: Any = Opened(duration=None)
    assert not screen.beyond_end(player, "14")


@pytest.mark.parametrize(
    ("properties", "display", "is_missing"),
    [
        ({"current_vo": "gpu"}, "", False),
        ({"current_vo": None}, ":0", True),
        ({"current_vo": None, "track_list": []}, "", False),
        ({"current_vo": None, "track_list": [{"type": "video", "selected": False}]}, "", False),
        ({"current_vo": "sdl"}, "", True),
        ({"current_vo": "sdl"}, ":0", False),
        ({"current_vo": "sdl", "vo": [{"name": "sdl"}]}, "", False),
    ],
)
def test_a_missing_window_is_noticed(
    properties: dict[str, Any], display: str, monkeypatch: pytest.MonkeyPatch, *, is_missing: bool
) -> None:
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    shown = {"track_list": [{"type": "video", "selected": True}]}
    player: Any = Opened(**(shown | properties))
    assert window.is_missing(player) == is_missing


def test_our_track_number_is_not_remembered_for_later(open_one: Any) -> None:
    player = open_one(*NO_CONFIG)
    assert "vid" not in player["watch-later-options"]
    assert "volume" in player["watch-later-options"]


def test_every_key_leads_to_a_message_that_is_handled(open_one: Any) -> None:
    player = open_one(*NO_CONFIG)
    handlers: dict[str, Any] = {message: lambda *_: None for message, _ in KEYS.values()}
    screen.bind(player, handlers, KEYS)
    bound = {binding["key"]: binding["cmd"] for binding in player.input_bindings}
    for key in KEYS:
        assert key in bound


def test_what_is_said_to_a_player_that_has_ended_reaches_the_log(
    open_one: Any, caplog: pytest.LogCaptureFixture
) -> None:
    shown = screen.Screen()
    player = open_one(*NO_CONFIG)
    shown.open(player)
    player.terminate()
    with caplog.at_level("INFO"):
        shown.say("recording stopped")
    assert "recording stopped" in caplog.messages


@pytest.mark.parametrize("has_output", [True, False])
def test_outputs_that_are_only_tried_are_quiet(
    caplog: pytest.LogCaptureFixture, has_output: bool
) -> None:
    caplog.set_level("DEBUG", "rtvfi")
    window._log("error", "vo/gpu", "no TTY", has_output=has_output)
    window._log("error", "cplayer", "bad", has_output=has_output)
    assert [r.levelname for r in caplog.records] == [("DEBUG", "WARNING")[has_output], "WARNING"]


def test_without_a_display_nothing_is_tried(
    clips: Clips, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    real = Path.glob
    monkeypatch.setattr(
        Path, "glob", lambda self, text: [] if str(self) == "/dev/dri" else real(self, text)
    )
    film = clips.get(ClipSpec(num_frames=24))
    player = window.open_window([*NO_CONFIG[1:], ("pause", "yes")])
    try:
        shown = threading.Event()
        player.event_callback("playback-restart")(lambda _: shown.set())
        player.loadfile(str(film))
        assert shown.wait(30)
        assert player.current_vo == "null"
        assert window.is_missing(player)
    finally:
        player.terminate()
    assert capfd.readouterr().err == ""


def test_the_figures_stand_below_the_line_that_messages_are_in() -> None:
    drawn: list[str] = []
    player: Any = SimpleNamespace(command=lambda *words: drawn.append(words[-1]))
    screen.overlay(player, ["one", "two"])
    tops = [float(y) for y in re.findall(r"pos\([\d.]+,([\d.]+)\)", drawn[0])]
    assert len(tops) == 2
    # mpv before 0.40 writes messages 55 of 720 rows high, 22 rows below the edge.
    assert min(tops) > 22 + 1.2 * 55
