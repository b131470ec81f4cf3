"""A silent film that is switched is kept open until the picture of that switch is there."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from rtvfi.playing.mpv.screen import line_of
from rtvfi.playing.showing import Showing
from rtvfi.playing.track import Tracks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.playing.mpv.player import Mpv


class FakePlayer:
    """Notes what is asked of it; plays a film without sound at two seconds."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {
            "keep-open": False,
            "keep-open-pause": True,
            "hr-seek-demuxer-offset": 0.0,
            "video-rotate": 0,
            "deinterlace": False,
        }
        self.file_local: dict[str, Any] = {}
        self.vid, self.time_pos = 2, 2.0
        self.track_list: list[dict[str, Any]] = []
        self.done: list[Sequence[str]] = []
        self.handlers: dict[str, Callable[..., None]] = {}

    def __getitem__(self, name: str) -> Any:
        return self.options[name]

    def register_message_handler(self, name: str, handler: Callable[..., None]) -> None:
        self.handlers[name] = handler

    def command(self, *words: str) -> None:
        self.done.append(words)

    def together(self, *commands: Sequence[str]) -> None:
        self.done += commands

    @property
    def is_kept_open(self) -> bool:
        return self.file_local.get("keep-open") == "always"

    def mark(self) -> None:
        """Send the newest message that was asked for."""
        name, mark = [command[1:] for command in self.done if command[0] == "script-message"][-1]
        self.handlers[name](mark.encode())


@pytest.fixture
def switched() -> tuple[FakePlayer, Tracks]:
    """A switch from ours to the original has been asked for."""
    player = FakePlayer()
    door: Any = SimpleNamespace(root="rtvfi://")
    tracks = Tracks(cast("Mpv", player), door)
    tracks._ours, tracks._original = 2, 1
    tracks.choose(ours=False)
    return player, tracks


def show_one(tracks: Tracks) -> None:
    """mpv seeks and shows the picture."""
    tracks.sought()
    tracks.settled()


def test_the_switch_and_its_seek_are_one_command(switched: tuple[FakePlayer, Tracks]) -> None:
    player, _ = switched
    assert [command[0] for command in player.done] == ["set", "script-message", "seek"]
    assert player.done[-1] == ("seek", "2.0", "absolute+exact")
    assert player.is_kept_open


def test_the_picture_of_a_seek_before_it_does_not_count(
    switched: tuple[FakePlayer, Tracks],
) -> None:
    player, tracks = switched
    show_one(tracks)
    assert player.is_kept_open
    player.mark()
    tracks.settled()
    assert player.is_kept_open
    tracks.sought()
    assert player.is_kept_open
    tracks.settled()
    assert not player.is_kept_open
    assert player.file_local["hr-seek-demuxer-offset"] == 0.0


def test_the_mark_of_a_switch_before_it_does_not_count(
    switched: tuple[FakePlayer, Tracks],
) -> None:
    player, tracks = switched
    first = player.done[1][2]
    tracks.choose(ours=False)
    tracks.marked(first)
    show_one(tracks)
    assert player.is_kept_open


def test_a_picture_from_elsewhere_is_not_waited_out_for_ever(
    switched: tuple[FakePlayer, Tracks],
) -> None:
    player, tracks = switched
    player.mark()
    tracks.sought()
    player.time_pos = 5.0
    for _ in range(3):
        tracks.settled()
        assert player.is_kept_open
    tracks.settled()
    assert not player.is_kept_open


def test_going_back_to_ours_ends_it(switched: tuple[FakePlayer, Tracks]) -> None:
    player, tracks = switched
    player.vid = 1
    tracks.choose(ours=True)
    assert player.vid == 2
    assert not player.is_kept_open


@pytest.fixture
def added() -> tuple[FakePlayer, Tracks]:
    """Ours was added while the original is shown."""
    player = FakePlayer()
    player.vid = 1
    tracks = Tracks(cast("Mpv", player), cast("Any", SimpleNamespace(root="rtvfi://")))
    tracks._ours, tracks._original, tracks._is_fresh = 2, 1, True
    return player, tracks


def test_mpv_is_sent_to_this_moment_when_it_first_shows_a_track_that_was_added(
    added: tuple[FakePlayer, Tracks],
) -> None:
    player, tracks = added
    tracks.choose(ours=True)
    assert player.done == [("set", "vid", "2"), ("seek", "2.0", "absolute+exact")]
    player.vid = 2
    tracks.selected()
    player.vid = 1
    tracks.choose(ours=True)
    assert len(player.done) == 2


def test_also_when_the_user_chooses_it(added: tuple[FakePlayer, Tracks]) -> None:
    player, tracks = added
    player.vid = 2
    for _ in range(2):
        tracks.selected()
    assert player.done == [("seek", "0", "relative+exact")]


def test_but_not_when_it_is_shown_from_the_beginning(added: tuple[FakePlayer, Tracks]) -> None:
    player, tracks = added
    tracks.choose(ours=True, is_playing=False)
    player.vid = 2
    tracks.selected()
    assert player.done == []


def test_commands_of_one_line_keep_their_words_apart() -> None:
    line = line_of([("set", "title", 'a "b"; c'), ("script-message", "x", "1")])
    assert line == 'no-osd "set" "title" "a \\"b\\"; c"; no-osd "script-message" "x" "1"'


@pytest.mark.parametrize("position", [1.5, None])
def test_a_seek_ends_a_read_of_ours_whoever_chose_our_track(position: float | None) -> None:
    """Toggled off by our key, and chosen again by mpv's: ours is shown, though not wanted."""
    kicks: list[float] = []
    showing: Any = SimpleNamespace(
        _lock=threading.RLock(),
        _mpv=SimpleNamespace(time_pos=position),
        _tracks=SimpleNamespace(sought=lambda: None),
        shown=None,
        viewing=SimpleNamespace(stream=SimpleNamespace(kick=kicks.append)),
    )
    Showing.sought(showing)
    assert kicks == ([] if position is None else [position])
