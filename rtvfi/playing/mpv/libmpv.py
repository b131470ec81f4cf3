"""Stream protocols and hooks on libmpv's C interface, which python-mpv lacks or does too slowly.

python-mpv's own stream wrapper copies byte by byte in Python (2 frames per second were measured at
1080p). Ours passes libmpv's buffer address to the stream object, which copies whole planes with the
GIL released.

Two rules of libmpv apply to everything called from here: never call a function of the same player
inside a stream callback (deadlock), and never let an exception leave a callback (libmpv would see
end of file).
"""

from __future__ import annotations

import itertools
import logging
from contextlib import suppress
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_uint64, c_void_p, cast
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import mpv

from rtvfi.playing.mpv.screen import PlayerGone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from ctypes import _Pointer

    from rtvfi.playing.mpv.player import Event, Hook, Libmpv
    from rtvfi.stream.serve.records import File

log = logging.getLogger(__name__)

_LOADING_FAILED, _GENERIC, _UNSUPPORTED = -13, -20, -18

_READ = CFUNCTYPE(c_int64, c_void_p, c_void_p, c_uint64)
_SEEK = CFUNCTYPE(c_int64, c_void_p, c_int64)
_SIZE = CFUNCTYPE(c_int64, c_void_p)
_VOID = CFUNCTYPE(None, c_void_p)


class _StreamInfo(Structure):
    """``mpv_stream_cb_info``."""

    _fields_ = (
        ("cookie", c_void_p),
        ("read_fn", _READ),
        ("seek_fn", _SEEK),
        ("size_fn", _SIZE),
        ("close_fn", _VOID),
        ("cancel_fn", _VOID),
    )


_OPEN = CFUNCTYPE(c_int, c_void_p, c_char_p, POINTER(_StreamInfo))


class Offered(Protocol):
    """Something that a player can open."""

    def files(self, name: str) -> Mapping[str, File]:
        """Its files by name; the first is ``name``."""
        ...


class StreamProtocol:
    """Registers ``scheme://`` with a player. Keep a reference for as long as the player lives: its
    C callbacks belong to this object.

    Args:
        player: an mpv in this process.
        scheme: name before ``://``, letters only.
        opener: returns the stream of a URI; if it raises, loading fails.
    """

    def __init__(self, player: Libmpv, scheme: str, opener: Callable[[str], File]) -> None:
        self._opener = opener
        self._streams: dict[int, File] = {}
        self._cookies = itertools.count(1)  # a cookie of 0 would arrive as None
        self._callbacks = (
            _READ(self._read),
            _SEEK(self._seek),
            _SIZE(self._size),
            _VOID(self._close),
            _VOID(self._cancel),
        )
        self._open_callback = _OPEN(self._open)
        add = CFUNCTYPE(c_int, c_void_p, c_char_p, c_void_p, _OPEN)(
            ("mpv_stream_cb_add_ro", mpv.backend)
        )
        status = add(cast(player.handle, c_void_p), scheme.encode(), None, self._open_callback)
        if status < 0:
            raise OSError(status, f"mpv refused the protocol {scheme}")

    def _open(self, _user: object, uri: bytes, info: _Pointer[_StreamInfo]) -> int:
        try:
            stream = self._opener(uri.decode())
        except Exception:
            log.debug("opening %s for mpv failed", uri, exc_info=True)
            return _LOADING_FAILED
        cookie = next(self._cookies)
        self._streams[cookie] = stream
        content = info.contents
        content.cookie = cookie
        content.read_fn, content.seek_fn, content.size_fn, content.close_fn, content.cancel_fn = (
            self._callbacks
        )
        return 0

    def _read(self, cookie: int, address: int, num_bytes: int) -> int:
        try:
            return self._streams[cookie].read_into(address, num_bytes)
        except Exception:
            log.exception("reading for mpv failed")
            return -1

    def _seek(self, cookie: int, offset: int) -> int:
        try:
            return self._streams[cookie].seek(offset)
        except Exception:
            log.exception("seeking for mpv failed")
            return _GENERIC

    def _size(self, cookie: int) -> int:
        try:
            return self._streams[cookie].size
        except Exception:
            log.exception("sizing for mpv failed")
            return _UNSUPPORTED

    def _close(self, cookie: int) -> None:
        try:
            self._streams.pop(cookie).close()
        except Exception:
            log.exception("closing for mpv failed")

    def _cancel(self, cookie: int) -> None:
        try:
            stream = self._streams.get(cookie)
            if stream is not None:
                stream.cancel()
        except Exception:
            log.exception("cancelling for mpv failed")


class InsideDoor:
    """Makes our tracks available to a player in this process, by a stream protocol.

    Args:
        player: an mpv in this process.
    """

    root = "rtvfi://"
    options: Mapping[str, str] = {}

    def __init__(self, player: Libmpv) -> None:
        self._offered: dict[str, File] = {}
        self._addresses: dict[Offered, list[str]] = {}
        """URIs of the files of each stream that is offered."""
        self._numbers = itertools.count(1)
        scheme = self.root.partition(":")[0]
        self._protocol = StreamProtocol(player, scheme, self._offered.pop)

    def offer(self, stream: Offered) -> str:
        """Offer a stream; returns the URI by which the player may open it once. The player closes
        it.
        """
        name = str(next(self._numbers))
        files = {f"{self.root}{file}": content for file, content in stream.files(name).items()}
        self._offered |= files
        self._addresses.setdefault(stream, []).extend(files)
        return f"{self.root}{name}"

    def withdraw(self, stream: Offered) -> None:
        """Withdraw a stream that the player will not open."""
        for address in self._addresses.pop(stream, ()):
            self._offered.pop(address, None)


_PRIORITY: Final = 50
"""Priority among the hooks of scripts; mpv's manual advises 50 if the order does not matter."""

_hook_add = CFUNCTYPE(c_int, c_void_p, c_uint64, c_char_p, c_int)(("mpv_hook_add", mpv.backend))
_hook_continue = CFUNCTYPE(c_int, c_void_p, c_uint64)(("mpv_hook_continue", mpv.backend))


def add_hook(
    player: Libmpv,
    name: str,
    handler: Callable[[], None],
    run: Callable[[Callable[[], None]], None],
) -> None:
    """Run ``handler`` whenever mpv reaches hook ``name``; mpv waits for it, python-mpv's event
    thread does not.

    Args:
        player: an mpv in this process.
        name: name of the hook.
        handler: may use properties and commands, and may take time. An exception is logged, and
            mpv continues.
        run: runs a job on the hook's thread.
    """
    # The hook must be added on the handle whose events python-mpv reads.
    handle = cast(player._event_handle, c_void_p)
    wanted = name.encode()
    _hook_add(handle, 1, wanted, _PRIORITY)

    def carry_out(number: int) -> None:
        try:
            handler()
        except PlayerGone:
            log.debug("hook %s ended with the player", name)
        except Exception:
            log.exception("hook %s failed", name)
        finally:
            # If the player has ended, its handle is gone, and nothing waits for the hook.
            with suppress(PlayerGone):
                _ = player.handle
                _hook_continue(handle, number)

    def on_hook(event: Event[Hook]) -> None:
        if event.data.name in (wanted, name):
            run(partial(carry_out, event.data.id))

    player.event_callback("hook")(on_hook)
