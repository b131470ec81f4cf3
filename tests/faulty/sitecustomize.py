"""Faults of an engine, done inside it on purpose.

Python imports this by itself where its folder is in ``PYTHONPATH``. In the process of an engine it
waits for a file in the folder that ``RTVFI_FAULTS`` names, and does what the file's name says.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

MOST_BYTES = 4 << 30
"""What ``allocate`` takes at most, should nobody end it."""


def _kill(*_: Any, **__: Any) -> Any:
    ctypes.CDLL(None).kill(os.getpid(), 9)


def _hang(*_: Any, **__: Any) -> Any:
    threading.Event().wait()


def _crash(*_: Any) -> Any:
    ctypes.string_at(0)


def _abort(*_: Any) -> Any:
    os.abort()


def _hold_interpreter(*_: Any) -> Any:
    ctypes.PyDLL(None).sleep(100_000)


def _raise(*_: Any) -> Any:
    raise RuntimeError("the sizes of tensors must match")


def _device_error(*_: Any) -> Any:
    raise RuntimeError("HIP error: unspecified launch failure")


def _mistake(*_: Any) -> Any:
    raise ZeroDivisionError("a mistake")


def _in_model(deed: Any) -> None:
    """From the next call of the model on."""
    from rtvfi.stream.run.slot import ModelSlot

    launch = ModelSlot.launch

    def faulty(self: Any, work: Any) -> Any:
        if self.executor is not None:
            self.executor.run = deed
        return launch(self, work)

    ModelSlot.launch = faulty  # type: ignore[method-assign]


def _in_decoder() -> None:
    from rtvfi.stream.decode.pyav import PyavSource

    PyavSource.read = _hang  # type: ignore[method-assign]


def _at_opening(deed: Any) -> None:
    """When the next film is opened, while mpv waits in its hook."""
    from rtvfi.playing.front import Front

    Front._attach = deed  # type: ignore[method-assign]


def _allocate() -> None:
    held: list[bytes] = []
    while len(held) << 24 < MOST_BYTES:
        held.append(b"\1" * (1 << 24))
        time.sleep(0.005)
    _hang()


def _cut_picture() -> None:
    """The connection ends in the middle of the next large piece of a picture."""
    from rtvfi.stream.serve.frame_stream import FrameStream

    piece = FrameStream.piece

    def faulty(self: Any, room: int, **words: Any) -> Any:
        found = piece(self, room, **words)
        if len(found) < 1 << 12:
            return found
        FrameStream.piece = _nothing  # type: ignore[method-assign, assignment]
        return found[: len(found) // 2]

    def _nothing(_self: Any, _room: int, **_words: Any) -> Any:
        FrameStream.piece = piece  # type: ignore[method-assign]
        return b""

    FrameStream.piece = faulty  # type: ignore[method-assign]


DEEDS = {
    "segfault": lambda: _in_model(_crash),
    "abort": lambda: _in_model(_abort),
    "exit": lambda: os._exit(0),
    "hang_in_model": lambda: _in_model(_hang),
    "hold_interpreter": lambda: _in_model(_hold_interpreter),
    "hang_in_decoder": _in_decoder,
    "allocate": _allocate,
    "raise_in_model": lambda: _in_model(_raise),
    "device_error": lambda: _in_model(_device_error),
    "mistake": lambda: _in_model(_mistake),
    "die_at_opening": lambda: _at_opening(_kill),
    "hang_at_opening": lambda: _at_opening(_hang),
    "cut_picture": _cut_picture,
}


def _wait(folder: Path) -> None:
    while True:
        for path in [*folder.iterdir()]:
            path.unlink()
            DEEDS[path.name]()
        time.sleep(0.01)


def _listen() -> None:
    folder = Path(os.environ["RTVFI_FAULTS"])
    threading.Thread(target=_wait, args=(folder,), name="faults", daemon=True).start()


if "RTVFI_FAULTS" in os.environ:
    if "serve" in sys.orig_argv:
        _listen()
    elif "play" in sys.orig_argv:  # it splits in two, and the copy is the engine
        os.register_at_fork(after_in_child=_listen)
