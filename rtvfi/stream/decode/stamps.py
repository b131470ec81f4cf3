"""Reads the times of all pictures of a film from its packets, without decoding them."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError
from rtvfi.stream.decode.container import FAILURES, open_container
from rtvfi.stream.decode.fields.pulldown import find_pulldown
from rtvfi.stream.decode.info import choose_stream
from rtvfi.stream.decode.pts import LONGEST_GAP, PtsRegulariser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.decode.container import Packet

_LOOKED_AT: Final = 40
"""Number of pictures examined for pulldown."""
_MOST_BACK: Final = 2
"""Seconds by which decoding times may run backwards; more means carelessly joined films."""


def frame_times(path: str, info: StreamInfo) -> tuple[list[Fraction], Fraction]:
    """(times of all pictures, end of the last one), seconds on the film's own clock, beginning with
    the picture that was decoded first.

    Damaged packets are included: their pictures may be missing when the film is decoded.

    Args:
        path: the file.
        info: its video stream.

    Raises:
        UsageError: the film states no times, or impossible ones.
        OpenError: the file cannot be opened.
    """
    with open_container(path) as source:
        stream = choose_stream(source)
        if stream is None or not info.is_seekable or source.format.name == "avi":
            raise _refusal(path, "it does not state them")
        tick = stream.time_base or Fraction(1, 1000)
        packets = list(_stamped(path, source.demux(stream)))
    stamps = sorted(pts for pts, _ in packets if pts * tick >= info.start - tick)
    pulldown = find_pulldown([pts * tick for pts in stamps[:_LOOKED_AT]], tick)
    due = [pts * tick for pts in stamps]
    slack = max(tick, pulldown.slack) if pulldown is not None else tick
    regulariser = PtsRegulariser(info.source_rate, slack, origin=info.start)
    if pulldown is not None:
        around = zip(due, [*due[1:], None], [None, *due], strict=False)
        due = [pulldown.even(*times) for times in around]
    times = [t for raw in due if (t := regulariser.push(raw)) is not None]
    if not times:
        raise _refusal(path, "it does not state them")
    if any(b - a > LONGEST_GAP for a, b in pairwise(times)):
        raise _refusal(path, "they jump")
    period = 1 / info.source_rate
    stated = dict(packets)[stamps[-1]] * tick
    is_odd = pulldown is not None or stated < period / 2 or abs(stated - period) <= tick
    return times, times[-1] + (period if is_odd else stated)


def _stamped(path: str, packets: Iterator[Packet]) -> Iterator[tuple[int, int]]:
    """Yield (PTS, duration), in ticks, of all packets whose pictures are shown."""
    newest = None
    try:
        for packet in packets:
            if not packet.size or packet.is_discard:
                continue
            if packet.pts is None or packet.time_base is None:
                raise _refusal(path, "it does not state all of them")
            back = _MOST_BACK / packet.time_base
            if newest is not None and packet.pts < newest - back:
                raise _refusal(path, "they run backwards")
            newest = packet.pts if newest is None else max(newest, packet.pts)
            yield packet.pts, packet.duration or 0
    except FAILURES:
        return  # the decoder stops here, too


def _refusal(path: str, reason: str) -> UsageError:
    return UsageError(f'the times of "{path}" cannot be kept: {reason}', "omit --vfr keep")
