"""Corrects times in carelessly joined recordings, in which time starts again in the middle.

The decoder of the pictures continues from the current time (``stream.decode.pyav``); audio and
subtitles must be shifted by the same amount.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtvfi.stream.decode.container import Packet

_BACK_SECONDS: Final = 2
"""A jump back by less is only packets stored out of order."""
_DROPPED: Final = 7
"""Number of pictures that the decoder drops as damage before it accepts the new time; it must match
``pyav``.
"""
_MOST_WAITING: Final = 2000


class Splices:
    """Puts packets of joined recordings on one clock.

    Args:
        video: number of the stream whose pictures are shown.
        period: seconds of a picture.
    """

    def __init__(self, video: int, period: Fraction) -> None:
        self._video = video
        self._period = period
        self._shifts = [Fraction(0)]
        """Time shift of each piece whose pictures have begun, seconds."""
        self._pieces: dict[int, int] = {}
        """The current piece of each stream."""
        self._newest: dict[int, Fraction] = {}
        """The latest time of each stream in its piece, seconds."""
        self._waiting: deque[tuple[int, Packet]] = deque()
        """Packets of pieces whose pictures have not begun yet."""

    def apply(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """Yield all packets except the pictures', in order, on the clock of the first piece."""
        for packet in packets:
            index = packet.stream.index
            piece = self._piece(packet)
            if index == self._video:
                while self._waiting and self._waiting[0][0] < len(self._shifts):
                    yield self._moved(*self._waiting.popleft())
                continue
            if self._waiting or piece >= len(self._shifts):
                self._waiting.append((piece, packet))
                if len(self._waiting) > _MOST_WAITING:  # its pictures never came
                    self._waiting.clear()
                continue
            yield self._moved(piece, packet)

    def _piece(self, packet: Packet) -> int:
        """The piece a packet belongs to."""
        index = packet.stream.index
        now = packet_time(packet, packet.pts if packet.pts is not None else packet.dts)
        newest = self._newest.get(index)
        if newest is None or now > newest:
            self._newest[index] = now
        elif now < newest - _BACK_SECONDS:
            if index == self._video:
                first = now + _DROPPED * self._period
                last = newest + self._shifts[-1] + self._period
                self._shifts.append(last - first)
            self._pieces[index] = self._pieces.get(index, 0) + 1
            self._newest[index] = now
        return self._pieces.get(index, 0)

    def _moved(self, piece: int, packet: Packet) -> Packet:
        shift = self._shifts[piece]
        if shift and packet.time_base is not None:
            ticks = round(shift / packet.time_base)
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.dts = None if packet.dts is None else packet.dts + ticks
        return packet


def packet_time(packet: Packet, ticks: int | None) -> Fraction:
    """Seconds of ``ticks``, one of the packet's times; it must have one."""
    assert ticks is not None
    assert packet.time_base is not None
    return ticks * packet.time_base
