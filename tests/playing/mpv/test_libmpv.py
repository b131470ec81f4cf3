"""Streams and hooks on a real libmpv, without display and sound."""

from __future__ import annotations

import ctypes
import queue
import threading
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import mpv
import pytest
from fakes import PATIENCE, numbered, raising, stream_info

from rtvfi.playing.mpv.libmpv import StreamProtocol, add_hook
from rtvfi.stream.serve.matroska import VirtualMkv

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.mpv

INFO = stream_info()


def film(num_frames: int = 6) -> bytes:
    """A short virtual file, written out."""
    step = Fraction(1, 48)
    mkv = VirtualMkv(INFO, [round(k * step * 10**6) for k in range(num_frames)], step, "film")
    records = [mkv.prefix(i) + numbered(INFO, i).tobytes() for i in range(num_frames)]
    return mkv.header + b"".join(records)


class Memory:
    """A stream over bytes; ``fails`` names the calls that raise."""

    def __init__(self, content: bytes, fails: str = "") -> None:
        self._content = content
        self._fails = fails
        self._position = 0
        self.calls: list[str] = []

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if name == self._fails:
            raise ValueError(f"{name} broke")

    @property
    def size(self) -> int:
        self._called("size")
        return len(self._content)

    def read_into(self, address: int, num_bytes: int) -> int:
        self._called("read")
        piece = self._content[self._position : self._position + min(num_bytes, 1000)]
        ctypes.memmove(address, piece, len(piece))
        self._position += len(piece)
        return len(piece)

    def seek(self, offset: int) -> int:
        self._called("seek")
        self._position = offset
        return offset

    def cancel(self) -> None:
        self.calls.append("cancel")

    def close(self) -> None:
        self._called("close")


class Window:
    """mpv that shows nothing, and its events in order."""

    def __init__(self) -> None:
        self.mpv: Any = mpv.MPV(vo="null", ao="null", idle="yes", config="no", load_scripts="no")
        self._events: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        for name in ("file-loaded", "end-file"):
            self.mpv.event_callback(name)(lambda event, name=name: self._note(name, event))

    def _note(self, name: str, event: Any) -> None:
        self._events.put((name, getattr(event.data, "reason", None)))

    def next(self) -> tuple[str, Any]:
        return self._events.get(timeout=PATIENCE)


def at_once(job: Callable[[], None]) -> None:
    """On the thread that asks."""
    job()


@pytest.fixture
def window() -> Iterator[Window]:
    window = Window()
    yield window
    window.mpv.terminate()


ENDED = ("end-file", mpv.MpvEventEndFile.EOF)
REFUSED = ("end-file", mpv.MpvEventEndFile.ERROR)


def test_a_stream_plays_to_its_end_and_is_closed(window: Window) -> None:
    stream = Memory(film())
    asked: list[str] = []

    def opener(uri: str) -> Memory:
        asked.append(uri)
        return stream

    protocol = StreamProtocol(window.mpv, "film", opener)
    window.mpv.loadfile("film://7")
    assert window.next() == ("file-loaded", None)
    assert window.next() == ENDED
    assert asked == ["film://7"]
    assert stream.calls[-1] == "close"
    assert protocol._streams == {}


def test_an_opener_that_raises_refuses_the_file(window: Window) -> None:
    def opener(uri: str) -> Memory:
        raise KeyError(uri)

    protocol = StreamProtocol(window.mpv, "film", opener)
    window.mpv.loadfile("film://7")
    assert window.next() == REFUSED
    del protocol


@pytest.mark.parametrize("call", ["read", "seek", "size", "close"])
def test_an_error_in_a_stream_is_logged_and_mpv_lives(
    window: Window, call: str, error_log: list[logging.LogRecord]
) -> None:
    broken, whole = Memory(film(), fails=call), Memory(film())
    protocol = StreamProtocol(
        window.mpv, "film", lambda uri: whole if uri.endswith("whole") else broken
    )
    window.mpv.loadfile("film://broken")
    while window.next()[0] != "end-file":
        pass
    assert error_log
    window.mpv.loadfile("film://whole")
    assert window.next() == ("file-loaded", None)
    assert window.next() == ENDED
    del protocol


def test_mpv_waits_in_a_hook_that_may_use_it(window: Window) -> None:
    protocol = StreamProtocol(window.mpv, "film", lambda _: Memory(film()))
    seen: list[int] = []
    add_hook(window.mpv, "on_preloaded", lambda: seen.append(len(window.mpv.track_list)), at_once)
    window.mpv.loadfile("film://7")
    assert window.next() == ("file-loaded", None)
    assert seen == [1]
    assert window.next() == ENDED
    del protocol


def test_events_go_on_while_a_hook_takes_its_time(window: Window) -> None:
    protocol = StreamProtocol(window.mpv, "film", lambda _: Memory(film()))
    heard, release = threading.Event(), threading.Event()
    window.mpv.register_message_handler("call", lambda *_: heard.set())
    threads: list[threading.Thread] = []

    def run(job: Callable[[], None]) -> None:
        threads.append(threading.Thread(target=job))
        threads[-1].start()

    def hook() -> None:
        window.mpv.command("script-message", "call")
        assert heard.wait(PATIENCE), "the event thread waits for the hook"
        assert release.wait(PATIENCE)

    add_hook(window.mpv, "on_preloaded", hook, run)
    window.mpv.loadfile("film://7")
    assert heard.wait(PATIENCE)
    release.set()
    assert window.next() == ("file-loaded", None)
    assert window.next() == ENDED
    threads[0].join(PATIENCE)
    del protocol


def test_a_hook_that_raises_is_logged_and_the_file_plays(
    window: Window, error_log: list[logging.LogRecord]
) -> None:
    protocol = StreamProtocol(window.mpv, "film", lambda _: Memory(film()))

    hook = raising(ValueError("a bug"))
    add_hook(window.mpv, "on_preloaded", hook, at_once)
    window.mpv.loadfile("film://7")
    assert window.next() == ("file-loaded", None)
    assert window.next() == ENDED
    assert [record.getMessage() for record in error_log] == ["hook on_preloaded failed"]
    del protocol


def test_a_scheme_is_registered_once(window: Window) -> None:
    protocol = StreamProtocol(window.mpv, "film", lambda _: Memory(film()))
    with pytest.raises(OSError, match="mpv refused the protocol film"):
        StreamProtocol(window.mpv, "film", lambda _: Memory(film()))
    del protocol
