"""Which output frame is where in the virtual file, and the bytes of such a file."""

from __future__ import annotations

import ctypes
import itertools
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.core.rates import Grid
    from rtvfi.stream.serve.matroska import VirtualMkv

_AT_A_TIME: Final = 1 << 16

Piece = bytes | NDArray[np.uint8]
"""Bytes of a virtual file."""


class File(Protocol):
    """A file that a player reads, on one thread; any thread may call ``cancel`` at any time."""

    @property
    def size(self) -> int:
        """Total bytes."""
        ...

    def read_into(self, address: int, num_bytes: int) -> int:
        """Write up to ``num_bytes`` to memory at ``address``; returns their number, 0 at the
        end.
        """
        ...

    def seek(self, offset: int) -> int:
        """Set the position and return it; must return at once."""
        ...

    def cancel(self) -> None:
        """Make a blocked read, and all later ones, return at once."""
        ...

    def close(self) -> None:
        """Release everything without waiting for it."""
        ...


class RecordMap:
    """Which frame of the grid is in which record of the virtual file.

    The player's time 0 is ``origin`` on the source's clock, and the film starts at ``begin`` on the
    player's clock: at 0, unless the player keeps the times of the file. Grid frames before it are
    left out. If the source begins later, indices below 0 show its first frame early. The first
    record is at ``begin`` even if the grid has no point there; its frame is then shown less than
    one step early.

    Args:
        grid: the output grid on the source's clock.
        origin: the player's time 0, seconds on the source's clock.
        end: end of the stream, seconds on the source's clock; no frame starts there or later.
        begin: time of the first record, seconds on the player's clock, not negative.
    """

    def __init__(
        self, grid: Grid, origin: Fraction, end: Fraction, begin: Fraction = Fraction(0)
    ) -> None:
        self.grid = grid
        self.origin = origin
        self._begin = begin
        self.first_index = grid.first_at_or_after(origin + begin)
        last = max(self.first_index, grid.first_at_or_after(end) - 1)
        self.num_records = last - self.first_index + 1

    def parts(self, starts: Sequence[Fraction]) -> list[range]:
        """The records of every stretch of the film; empty where one has no record.

        Args:
            starts: start of every stretch, seconds on the source's clock, rising; the first is
                ignored.
        """
        first, end = self.first_index, self.num_records
        firsts = [min(max(0, self.grid.first_at_or_after(s) - first), end) for s in starts[1:]]
        return [range(a, b) for a, b in itertools.pairwise((0, *firsts, end))]

    def index(self, record: int) -> int:
        """Grid index of the frame in a record."""
        return self.first_index + record

    def times_us(self) -> NDArray[np.int64]:
        """Start of every record on the player's clock, microseconds."""
        step, start = self.grid.step, self.grid.pts(self.first_index) - self.origin
        # Exact and fast: integers over one denominator, rounded half up. Python integers, because
        # they may exceed 64 bits; in small groups, because they need much memory.
        under = step.denominator * start.denominator
        first = start.numerator * step.denominator * 2_000_000
        each = step.numerator * start.denominator * 2_000_000
        times = np.full(self.num_records, round(self._begin * 1_000_000), np.int64)
        for begin in range(1, self.num_records, _AT_A_TIME):
            part = range(begin, min(begin + _AT_A_TIME, self.num_records))
            times[part.start : part.stop] = [
                (first + k * each + under) // (2 * under) for k in part
            ]
        return times

    @property
    def last_seconds(self) -> float:
        """Time of the last record, seconds on the player's clock."""
        return self.seconds(self.index(self.num_records - 1))

    def seconds(self, index: int) -> float:
        """Time of a grid index, seconds on the player's clock."""
        return float(self.grid.pts(index) - self.origin)


class RecordFile:
    """One virtual file with a read position.

    Args:
        mkv: the bytes around the pictures.
        picture: returns the payload of a record, or None; it waits for it only if its second
            argument is True.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        mkv: VirtualMkv,
        picture: Callable[[int, bool], NDArray[np.uint8] | None],
        clock: Callable[[], float],
    ) -> None:
        self.mkv = mkv
        self._picture = picture
        self._clock = clock
        self._position = 0
        self.num_asked = 0
        """Number of records that the player has begun to read."""
        self.serve_ms: deque[float] = deque(maxlen=4096)
        """Milliseconds spent copying each of the newest pictures to the player."""
        self._served = 0.0

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.mkv.size

    def seek(self, offset: int) -> int:
        """Set the read position, clamped to the file."""
        self._position = min(max(offset, 0), self.mkv.size)
        return self._position

    def read_into(self, address: int, num_bytes: int) -> int:
        """Write up to ``num_bytes`` available bytes to ``address``; wait only if there are none.

        Returns:
            The number of bytes written; 0 = end of file.
        """
        done = 0
        while done < num_bytes:
            piece = self.piece(num_bytes - done, may_wait=done == 0)
            if not len(piece):
                break
            if isinstance(piece, bytes):
                ctypes.memmove(address + done, piece, len(piece))
            else:
                self._copy(address + done, piece)
            done += len(piece)
        return done

    def piece(self, room: int, *, may_wait: bool = True) -> Piece:
        """The next bytes, at most ``room``; bytes of a picture share the picture's memory.

        Args:
            room: at least 1.
            may_wait: wait for a picture that is not available yet.

        Returns:
            Empty at the end of the file, and if there is no picture.
        """
        if self._position >= self.mkv.size:
            return b""
        piece = self._piece(room, may_wait)
        self._position += len(piece)
        return piece

    def void(self) -> bytes:
        """``VirtualMkv.void`` at the read position."""
        return self.mkv.void(self._position)

    def _copy(self, address: int, piece: NDArray[np.uint8]) -> None:
        """Copy part of a picture, and measure the time per whole picture."""
        begin = self._clock()
        ctypes.memmove(address, piece.ctypes.data, len(piece))
        self._served += self._clock() - begin
        if self.mkv.locate(self._position)[1] == 0:
            self.serve_ms.append(self._served * 1e3)
            self._served = 0.0

    def _piece(self, room: int, may_wait: bool) -> Piece:
        mkv = self.mkv
        if self._position < len(mkv.header):
            return mkv.header[self._position : self._position + room]
        record, offset = mkv.locate(self._position)
        # Fetch the picture before the first byte of a record, so that a file never ends inside one.
        payload = self._picture(record, may_wait)
        if payload is None:
            return b""
        before = mkv.prefix_bytes
        if offset < before:
            if offset == 0:
                self.num_asked += 1
            return mkv.prefix(record)[offset : offset + room]
        start = offset - before
        return payload[start : min(start + room, mkv.payload_bytes)]
