"""What python-mpv lacks or does too slowly: stream protocols and hooks, straight on libmpv's C
interface.

python-mpv's own stream wrapper copies byte by byte in Python (2 frames/s at 1080p was measured);
ours hands libmpv's buffer address to the stream object, which copies whole planes with the GIL
released.

Two rules of libmpv hold for everything called from here: no function of the same player may be
called inside a stream callback (deadlock), and no exception may leave a callback (it would read as
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
    """What a player may be given to open."""

    def files(self, name: str) -> Mapping[str, File]:
        """The files that it opens by which name; the first is ``name``."""
        ...


class StreamProtocol:
    """Registers ``scheme://`` with a player; keep it referenced for as long as the player lives.

    Args:
        player: an mpv in this process.
        scheme: name before ``://``, letters only.
        opener: URI to stream; raising anything makes the load fail.
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
    """How a player in this process gets our tracks: by addresses of its own protocol.

    Args:
        player: an mpv in this process.
    """

    root = "rtvfi://"
    options: Mapping[str, str] = {}

    def __init__(self, player: Libmpv) -> None:
        self._offered: dict[str, File] = {}
        self._addresses: dict[Offered, list[str]] = {}
        """Of the files of what was offered."""
        self._numbers = itertools.count(1)
        scheme = self.root.partition(":")[0]
        self._protocol = StreamProtocol(player, scheme, self._offered.pop)

    def offer(self, stream: Offered) -> str:
        """The address under which the player may open a stream, once; it closes it, too."""
        name = str(next(self._numbers))
        files = {f"{self.root}{file}": content for file, content in stream.files(name).items()}
        self._offered |= files
        self._addresses.setdefault(stream, []).extend(files)
        return f"{self.root}{name}"

    def withdraw(self, stream: Offered) -> None:
        """The player will not open it."""
        for address in self._addresses.pop(stream, ()):
            self._offered.pop(address, None)


_PRIORITY: Final = 50
"""Among the hooks of scripts; what mpv's manual advises where the order does not matter."""

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
        name: of the hook.
        handler: may use properties and commands, and take its time. Whatever it raises is logged,
            and mpv goes on.
        run: takes a job to the thread that carries it out.
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
            # Of a player that has ended the handle is no more, and nothing waits for it.
            with suppress(PlayerGone):
                _ = player.handle
                _hook_continue(handle, number)

    def on_hook(event: Event[Hook]) -> None:
        if event.data.name in (wanted, name):
            run(partial(carry_out, event.data.id))

    player.event_callback("hook")(on_hook)
