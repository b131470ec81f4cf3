"""The engine controlled by another program: JSON lines over a Unix socket, one owner.

``docs/protocol.md`` describes every message. The owner is the first connection of the same user;
the socket is then deleted. When the owner's connection closes for any reason, this process ends.
"""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rtvfi.apart.memory import Bound, end
from rtvfi.apart.session import Session
from rtvfi.apart.sockets import private_folder, remove_socket
from rtvfi.core.errors import PlayerError, RtvfiError, UsageError
from rtvfi.engine.trusted import check_options
from rtvfi.stream.serve.peer import is_peer_another_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rtvfi.apart.session import Answer
    from rtvfi.core.files import Json
    from rtvfi.settings.config import PlayOptions

log = logging.getLogger(__name__)

VERSION: Final = 1
"""Version of the protocol: increase it when a message changes its meaning, not when one is added.
"""
_OWNER_SECONDS: Final = 60.0
"""Longest wait for an owner."""
_FOLDER: Final = "rtvfi-control-"
"""Prefix of a folder that was created only for our socket, and is removed with it."""
_LOOK_SECONDS: Final = 0.5
_MOST_BYTES: Final = 1 << 20
"""Longest request, in bytes."""


def default_path() -> Path:
    """A path for the socket in a folder that only this user may enter."""
    return private_folder(_FOLDER) / f"rtvfi-{os.getpid()}.sock"


def serve(options: PlayOptions, path: Path, announce: Callable[[str], None]) -> int:
    """Listen at a path, and serve the first connection until it closes.

    Args:
        options: how films are shown; its files are ignored.
        path: path of the socket; it must not exist.
        announce: called with a JSON object as text as soon as a connection is possible.

    Raises:
        PlayerError: the socket cannot be created, or nobody connected.
        RtvfiError: the options cannot be carried out.
    """
    check_options(options)
    with _listening(path) as listener:
        announce(json.dumps({"listening": str(path), "version": VERSION}))
        try:
            connection = _owner(listener)
        finally:
            remove_socket(path, _FOLDER)
    with connection:
        Control(options, connection).run()
    return 0


def _listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)  # nobody else may connect, not even for a moment
    try:
        listener.bind(str(path))
        listener.listen(1)
    except OSError as error:
        listener.close()
        raise PlayerError(f'no socket can be made at "{path}": {error.strerror}') from error
    finally:
        os.umask(before)
    return listener


def _owner(listener: socket.socket) -> socket.socket:
    """The first connection of the same user."""
    deadline = time.monotonic() + _OWNER_SECONDS
    while True:
        listener.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            connection, _ = listener.accept()
        except TimeoutError as error:
            raise PlayerError(f"nobody connected within {_OWNER_SECONDS:.0f} s") from error
        if not is_peer_another_user(connection):
            return connection
        connection.close()


def _parsed(line: bytes) -> object:
    try:
        return json.loads(line.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise UsageError(f"not a JSON object: {error}") from error


class Control:
    """Answers the requests of one owner.

    Args:
        options: as for ``serve``.
        connection: the owner's connection; it is not closed here.
    """

    def __init__(self, options: PlayOptions, connection: socket.socket) -> None:
        self._bound = Bound()
        self._connection = connection
        self._sending = threading.Lock()
        self._has_greeted = self._is_over = False
        self._session = Session(options, self._note)

    def run(self) -> None:
        """Answer requests until the connection ends."""
        try:
            for line in self._lines():
                self._send(self._answer(line))
                if self._is_over:
                    return
        except OSError as error:
            log.debug("the owner is gone: %s", error)
        finally:
            self._session.close()

    def _note(self, text: str) -> None:
        """Send the owner a message for the user (any thread)."""
        log.info("%s", text)
        with suppress(OSError):
            self._send({"note": text})

    def _end_if_large(self) -> None:
        if said := self._bound.complaint():
            self._note(said)
            end(said)

    def _send(self, message: Answer) -> None:
        with self._sending:
            text = json.dumps(message, ensure_ascii=False)
            self._connection.sendall(text.encode("utf-8", "surrogateescape") + b"\n")

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        next_look = time.monotonic() + _LOOK_SECONDS
        while True:
            left = max(0.0, next_look - time.monotonic())
            is_asked = bool(select.select([self._connection], [], [], left)[0])
            now = time.monotonic()
            if now >= next_look:  # checked here, because requests may come faster than the timeout
                self._end_if_large()
                self._session.look(now)
                next_look = now + _LOOK_SECONDS
            if not is_asked:
                continue
            data = self._connection.recv(1 << 16)
            if not data or len(rest) > _MOST_BYTES:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from filter(None, lines)

    def _answer(self, line: bytes) -> Answer:
        number: object = None
        try:
            request = _parsed(line)
            if not isinstance(request, dict):
                raise UsageError("a request is a JSON object")
            number = request.pop("id", None)
            return {"id": number, "ok": True, **self._do(request.pop("do", ""), request)}
        except RtvfiError as error:
            return {"id": number, "ok": False, "error": error.message, "hint": error.hint}

    def _do(self, what: object, words: Json) -> Answer:
        if what == "hello":
            return self._greet(words)
        if not self._has_greeted:
            self._is_over = True
            raise UsageError('the first request must be "hello", with the version')
        if what == "bye":
            self._is_over = True
            return {}
        return self._session.do(what, words)

    def _greet(self, words: Json) -> Answer:
        version = words.get("version")
        if version != VERSION:
            self._is_over = True
            raise UsageError(
                f"the owner speaks version {version} of the protocol, this rtvfi version {VERSION}",
                "both must be of the same release",
            )
        self._has_greeted = True
        return {"version": VERSION, "pid": os.getpid()}
