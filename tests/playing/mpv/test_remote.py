"""An mpv apart as python-mpv would show it, here spoken to by a stand-in over a socket."""

from __future__ import annotations

import json
import queue
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from fakes import PATIENCE

from rtvfi.playing.mpv.remote import RemoteMpv
from rtvfi.playing.mpv.screen import PlayerGone, Screen

if TYPE_CHECKING:
    from collections.abc import Iterator


class FakeIpc:
    """The other end: answers what it has answers for, with an error for all else."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.answers: dict[str, Any] = {}
        self.asked: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="ipc-stand-in", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with self.connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line.decode("utf-8", "surrogateescape"))
                words = message["command"]
                self.asked.put(words)
                answer = self.answers.get(json.dumps(words), {"error": "success"})
                self.send({**answer, "request_id": message["request_id"]})

    def send(self, message: dict[str, Any]) -> None:
        text = json.dumps(message, ensure_ascii=False)
        self.connection.sendall(text.encode("utf-8", "surrogateescape") + b"\n")

    def end(self) -> None:
        self.connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(PATIENCE)
        self.connection.close()


@pytest.fixture
def ends() -> Iterator[tuple[Any, FakeIpc]]:
    ours, theirs = socket.socketpair()
    ipc, player = FakeIpc(theirs), RemoteMpv(ours)
    yield player, ipc
    player.close()
    ipc.end()


def test_properties_are_attributes_and_options_items(ends: tuple[Any, FakeIpc]) -> None:
    player, ipc = ends
    ipc.answers['["get_property", "time-pos"]'] = {"error": "success", "data": 1.5}
    ipc.answers['["get_property", "duration"]'] = {"error": "property unavailable"}
    ipc.answers['["get_property", "nonsense"]'] = {"error": "property not found"}
    ipc.answers['["get_property", "options/vid"]'] = {"error": "success", "data": "auto"}
    assert player.time_pos == 1.5
    assert player.duration is None
    ipc.answers['["get_property", "display-fps"]'] = {"error": "success", "data": "nan"}
    assert player["vid"] == "auto"
    assert player.display_fps is None
    with pytest.raises(AttributeError):
        _ = player.nonsense
    player.vid = 2
    player.file_local["cache"] = "no"
    asked = [ipc.asked.get(timeout=PATIENCE) for _ in range(7)]
    assert asked[-2:] == [
        ["set_property", "vid", 2],
        ["set_property", "file-local-options/cache", "no"],
    ]


def test_names_that_are_no_text_come_and_go_as_they_are(ends: tuple[Any, FakeIpc]) -> None:
    player, ipc = ends
    name = b"caf\xe9.mkv".decode("utf-8", "surrogateescape")
    ipc.answers['["get_property", "path"]'] = {"error": "success", "data": name}
    assert player.raw.path == name
    player.command("loadfile", name)
    assert ipc.asked.get(timeout=PATIENCE) == ["get_property", "path"]
    assert ipc.asked.get(timeout=PATIENCE) == ["loadfile", name]


def test_a_command_that_mpv_refuses_raises(ends: tuple[Any, FakeIpc]) -> None:
    player, ipc = ends
    ipc.answers['["video-add", "x"]'] = {"error": "error running command"}
    with pytest.raises(SystemError, match="video-add"):
        player.command("video-add", "x")


def test_events_messages_and_changes_reach_their_handlers_in_order(
    ends: tuple[Any, FakeIpc],
) -> None:
    player, ipc = ends
    seen: queue.SimpleQueue[Any] = queue.SimpleQueue()
    player.observe_property("pause", lambda name, value: seen.put((name, value)))
    player.event_callback("seek", "end-file")(lambda event: seen.put((event.name, event.data)))
    # A handler may ask mpv for things itself.
    player.register_message_handler("hello", lambda *words: seen.put((words, player.command("x"))))
    _, number, _ = ipc.asked.get(timeout=PATIENCE)
    ipc.send({"event": "property-change", "id": number, "name": "pause", "data": True})
    ipc.send({"event": "client-message", "args": ["hello", "a", "b"]})
    ipc.send({"event": "client-message", "args": ["for somebody else"]})
    ipc.send({"event": "end-file", "reason": "eof"})
    got = [seen.get(timeout=PATIENCE) for _ in range(3)]
    assert got[:2] == [("pause", True), (("a", "b"), None)]
    assert got[2][1]["reason"] == "eof"


def test_whoever_waits_is_told_that_the_player_has_ended(ends: tuple[Any, FakeIpc]) -> None:
    player, ipc = ends
    assert not player.wait(0)
    ipc.connection.shutdown(socket.SHUT_RDWR)
    assert player.wait(PATIENCE)
    with pytest.raises(PlayerGone):
        player.command("anything")


def test_a_message_waits_for_no_answer() -> None:
    """mpv may be waiting for a picture from the very thread that has something to say."""
    ours, theirs = socket.socketpair()
    player, screen = RemoteMpv(ours), Screen()
    screen.open(player)
    try:
        screen.say("recording stopped")  # nobody reads at the other end yet
        told = json.loads(theirs.makefile("rb").readline())
        assert told["command"] == ["show-text", "recording stopped", 2500]
        assert told["async"]
    finally:
        player.close()
        theirs.close()
    screen.say("the end")  # and none that has gone
