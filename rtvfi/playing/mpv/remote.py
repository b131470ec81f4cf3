"""An mpv in another process, over its JSON IPC, with the part of python-mpv's interface that we
use.

One thread reads what mpv sends and passes answers to the callers that wait for them. Another thread
calls the handlers of events and properties, in order; a handler may send requests to mpv itself.
Source: mpv's DOCS/man/ipc.rst, the same from 0.35 to 0.41.
"""

from __future__ import annotations

import itertools
import json
import logging
import queue
import threading
from collections import defaultdict
from contextlib import suppress
from socket import SHUT_RDWR
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, TypedDict

from rtvfi.playing.mpv.screen import PlayerGone, line_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from rtvfi.playing.mpv.player import Entry, Track

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 64 << 20
"""Longest line in bytes; a longer one does not come from mpv."""


_NUMBERS: Final = ("fps", "-pos", "-time", "-pts", "avsync", "speed", "duration")
"""Endings of the names of numeric properties; values that JSON cannot express come as "nan", "inf".
"""


class _Message(TypedDict, total=False):
    """A message from mpv: an answer, or an event with its data."""

    request_id: int
    error: str
    data: object
    event: str
    id: int
    name: str
    args: list[str]


def _value(name: str, data: object) -> object:
    return None if isinstance(data, str) and name.endswith(_NUMBERS) else data


class RemoteMpv:
    """A player in another process: properties are attributes and options are items, as in
    python-mpv's ``MPV``.

    Args:
        connection: a connection to mpv's ``input-ipc-server``; ``close`` closes it.
    """

    # __getattr__ returns these, like every other property; ``Mpv`` documents them.
    current_demuxer: str | None
    current_vo: str | None
    demuxer_start_time: float | None
    display_fps: float | None
    duration: float | None
    edition_list: Sequence[object] | None
    estimated_display_fps: float | None
    mpv_version: str
    path: str | bytes
    playlist: Sequence[Entry]
    seekable: bool | None
    stream_open_filename: str | bytes | None
    time_pos: float | None
    audio_pts: float | None
    track_list: Sequence[Track]
    vid: int | str | None

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._answers: dict[int, _Message | None] = {}
        self._is_gone = False
        self._events: queue.SimpleQueue[_Message | None] = queue.SimpleQueue()
        self._watchers: dict[int, Callable[..., object]] = {}
        self._callbacks: dict[str, list[Callable[..., object]]] = defaultdict(list)
        self._messages: dict[str, Callable[..., object]] = {}
        self._threads = [
            threading.Thread(target=self._read, name="rtvfi-ipc", daemon=True),
            threading.Thread(target=self._dispatch, name="rtvfi-events", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    # ---- asking ----

    def command(self, name: str, /, *arguments: object) -> object:
        """Run a command and wait for its answer.

        Raises:
            PlayerGone: mpv has ended.
            SystemError: mpv refuses it.
        """
        answer = self._ask([name, *arguments])
        if answer.get("error") != "success":
            raise SystemError(f"mpv: {name}: {answer.get('error')}")
        return answer.get("data")

    def soon(self, name: str, /, *arguments: object) -> None:
        """Run a command without waiting for it.

        Raises:
            PlayerGone: mpv has ended.
        """
        self._send({"command": [name, *arguments], "async": True})

    def together(self, *commands: Sequence[str]) -> None:
        """Run commands without anything of mpv's in between; there is no answer."""
        self._send_line(line_of(commands).encode("utf-8", "surrogateescape"))

    def _get(self, name: str) -> object:
        answer = self._ask(["get_property", name])
        error = answer.get("error")
        if error == "property not found":
            raise AttributeError(f"mpv has no property {name}")
        return _value(name, answer.get("data")) if error == "success" else None

    def _set(self, name: str, value: object) -> None:
        self.command("set_property", name, value)

    def _ask(self, words: list[object]) -> _Message:
        number = next(self._numbers)
        with self._changed:
            self._answers[number] = None
        try:
            self._send({"command": words, "request_id": number})
            with self._changed:
                self._changed.wait_for(lambda: self._answers[number] is not None or self._is_gone)
                answer = self._answers[number]
        finally:
            with self._changed:
                self._answers.pop(number, None)
        if answer is None:
            raise PlayerGone("the player has ended")
        return answer

    def _send(self, message: dict[str, object]) -> None:
        # File names may contain bytes that are not UTF-8; mpv sends and accepts them unchanged.
        line = json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogateescape")
        self._send_line(line)

    def _send_line(self, line: bytes) -> None:
        try:
            with self._sending:
                self._connection.sendall(line + b"\n")
        except OSError as error:
            raise PlayerGone("the player has ended") from error

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._get(name.replace("_", "-"))

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
        else:
            self._set(name.replace("_", "-"), value)

    def __getitem__(self, name: str, /) -> object:
        return self._get(f"options/{name}")

    def __setitem__(self, name: str, value: object, /) -> None:
        self._set(f"options/{name}", value)

    @property
    def file_local(self) -> _FileLocal:
        """Options that apply to the current file only."""
        return _FileLocal(self)

    @property
    def raw(self) -> RemoteMpv:
        """Properties without conversion; bytes that are not UTF-8 are surrogates."""
        return self

    # ---- being told ----

    def observe_property(self, name: str, handler: Callable[..., object], /) -> None:
        """Call ``handler`` with name and value, now and whenever the value changes."""
        number = next(self._numbers)
        with self._changed:
            self._watchers[number] = handler
        self.command("observe_property", number, name)

    def event_callback(self, *names: str) -> Callable[[Callable[..., object]], None]:
        """A decorator: its function is called with each event of these names."""

        def take(handler: Callable[..., object]) -> None:
            with self._changed:
                for name in names:
                    self._callbacks[name].append(handler)

        return take

    def register_message_handler(self, name: str, handler: Callable[..., object], /) -> None:
        """Call ``handler`` with the arguments of every script-message of that name."""
        with self._changed:
            self._messages[name] = handler

    def register_key_binding(self, key: str, command: str, /, mode: str = "") -> None:
        """Does nothing: in this player, our script binds the keys."""

    # ---- the end ----

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until mpv has ended; False if ``timeout`` seconds passed first."""
        with self._changed:
            return self._changed.wait_for(lambda: self._is_gone, timeout)

    def close(self) -> None:
        """Close the connection and wait for both threads."""
        with suppress(OSError):
            self._connection.shutdown(SHUT_RDWR)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        self._connection.close()

    # ---- the thread that reads ----

    def _lines(self) -> Iterator[bytes]:
        rest = bytearray()
        while data := self._connection.recv(1 << 16):
            rest += data
            *lines, tail = rest.split(b"\n")
            rest = bytearray(tail)
            yield from map(bytes, lines)
            if len(rest) > _MOST_BYTES:
                return

    def _read(self) -> None:
        try:
            for line in self._lines():
                if line:
                    self._take(json.loads(line.decode("utf-8", "surrogateescape")))
        except (OSError, ValueError) as error:
            log.debug("mpv's connection broke: %s", error)
        with self._changed:
            self._is_gone = True
            self._changed.notify_all()
        self._events.put(None)

    def _take(self, message: _Message) -> None:
        if "event" in message:
            self._events.put(message)
            return
        with self._changed:
            if message.get("request_id") in self._answers:
                self._answers[message["request_id"]] = message
                self._changed.notify_all()

    # ---- the thread of the handlers ----

    def _dispatch(self) -> None:
        while (event := self._events.get()) is not None:
            try:
                self._handle(event)
            except PlayerGone:
                log.debug("a handler ended with the player")
            except Exception:
                log.exception("a handler of %s failed", event.get("event"))

    def _handle(self, event: _Message) -> None:
        name = event["event"]
        if name == "property-change":
            with self._changed:
                watcher = self._watchers.get(event.get("id", 0))
            if watcher is not None:
                watcher(event["name"], _value(event["name"], event.get("data")))
        elif name == "client-message":
            word, *rest = event.get("args") or [""]
            with self._changed:
                handler = self._messages.get(word)
            if handler is not None:
                handler(*rest)
        else:
            with self._changed:
                callbacks = [*self._callbacks[name]]
            for callback in callbacks:
                callback(SimpleNamespace(name=name, data=event))


class _FileLocal:
    """Sets options for the current file."""

    def __init__(self, player: RemoteMpv) -> None:
        self._player = player

    def __setitem__(self, name: str, value: object, /) -> None:
        self._player._set(f"file-local-options/{name}", value)
