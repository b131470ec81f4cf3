"""Stand-ins for the slow and the fallible: source, executor, feed, playhead and clock.

Threads meet at a ``Latch``: one side arrives and is held, the other waits for the arrival and lets
it go. Nothing sleeps.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from rtvfi.core.errors import DecodeError
from rtvfi.core.frame import (
    END,
    PIXEL_FORMATS,
    ColorInfo,
    EndOfStream,
    Kind,
    OutputFrame,
    SourceFrame,
    StreamInfo,
)
from rtvfi.stream.decode.source import Interrupted
from rtvfi.stream.plan.batch import needs, outputs_of
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Mid
from rtvfi.stream.run.executors.executor import StageTimes
from rtvfi.stream.run.playhead import Playhead

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.playing.mpv.player import Track
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.run.executors.pictures import Pictures
    from rtvfi.stream.serve.matroska import VirtualMkv

    Payload = NDArray[np.uint8]

PATIENCE: Final = 10.0
"""Seconds after which a thread that did not come is a failure; never waited out otherwise."""

MADE: Final = 1 << 24
"""Added to the grid index in pictures made by ``FakeExecutor``."""


def stream_info(width: int = 32, height: int = 16, **changes: Any) -> StreamInfo:
    """A small stream at 24 frames/s; ``changes`` are fields, ``format`` by its name."""
    fields: dict[str, Any] = {
        "color": ColorInfo(),
        "source_rate": Fraction(24),
        "start": Fraction(0),
        "duration": None,
        "pixel_aspect": Fraction(1),
    }
    fields |= changes
    fields["format"] = PIXEL_FORMATS[changes.get("format", "yuv420p")]
    return StreamInfo(width=width, height=height, **fields)


def numbered(info: StreamInfo, number: int, scene: int = 0) -> Payload:
    """A payload that carries a number in its last four bytes and shows a dot that moves with it;
    another scene is another picture.
    """
    slope = np.linspace(16, 235, info.width)[None] if scene % 2 else None
    rows = np.linspace(235, 16, info.height)[:, None] if slope is None else slope
    luma = np.broadcast_to(rows, (info.height, info.width)).astype(np.uint8)
    luma[0, number % info.width] ^= 64  # something that moves
    made = np.full(info.payload_bytes, 128, np.uint8)
    made[: luma.size] = luma.ravel()
    made[-4:] = np.frombuffer(number.to_bytes(4, "little"), np.uint8)
    return made


def number_of(payload: Payload) -> int:
    """The number ``numbered`` wrote."""
    return int.from_bytes(payload[-4:].tobytes(), "little")


class FakeClock:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class FakePlayhead(Playhead):
    """Stands where the test puts it; far ahead of everything by default."""

    def __init__(self, position: float | None = 1e9) -> None:
        super().__init__(FakeClock())
        self._changed = threading.Condition()
        self._position = position
        self._num_asked = 0

    def now(self) -> float | None:
        with self._changed:
            self._num_asked += 1
            self._changed.notify_all()
            return self._position

    @property
    def is_held(self) -> bool:
        return False

    def move(self, position: float | None) -> None:
        with self._changed:
            self._position = position

    def wait_asked(self, times: int) -> None:
        """Wait until somebody has looked ``times`` more."""
        with self._changed:
            wanted = self._num_asked + times
            assert self._changed.wait_for(lambda: self._num_asked >= wanted, PATIENCE)


class Latch:
    """Holds a thread at a point until the test opens it."""

    def __init__(self) -> None:
        self._is_reached = threading.Event()
        self._is_open = threading.Event()

    def pass_through(self, interrupted: Callable[[], bool] = lambda: False) -> None:
        """Called by the held side; ``interrupted`` is asked all the while."""
        self._is_reached.set()
        while not self._is_open.wait(0.005):
            if interrupted():
                raise Interrupted

    def wait_reached(self) -> None:
        assert self._is_reached.wait(PATIENCE), "nobody came"

    def open(self) -> None:
        self._is_open.set()


@dataclass
class FakeSource:
    """Frames 0, 1, 2, .. at the stream's rate, each payload made once and carrying its number."""

    info: StreamInfo
    num_frames: int
    interrupted: Callable[[], bool] = lambda: False
    numbers: Sequence[int] | None = None
    """What each frame shows, for held drawings; by default its own number."""
    cuts: Collection[int] = ()
    """First frames of new scenes."""
    fails_at: int | None = None
    error: BaseException = field(default_factory=lambda: DecodeError("the source broke"))
    stalls_at: int | None = None
    latch: Latch = field(default_factory=Latch)
    is_deaf: bool = False
    """Whether a stall ignores ``interrupted``."""
    epoch: int = 0
    seeks: list[Fraction] = field(default_factory=list)
    num_reads: int = 0
    is_closed: bool = False
    thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self.pts = [self.info.start + i / self.info.source_rate for i in range(self.num_frames)]
        shown = self.numbers or range(self.num_frames)
        scenes = [sum(cut <= i for cut in self.cuts) for i in range(self.num_frames)]
        self.payloads = [numbered(self.info, n, s) for n, s in zip(shown, scenes, strict=True)]
        self._next = 0

    def opener(self, interrupted: Callable[[], bool]) -> FakeSource:
        """For ``Pipeline``."""
        self.interrupted = interrupted
        self.thread = threading.current_thread()
        return self

    def read(self) -> SourceFrame | EndOfStream:
        assert not self.is_closed
        assert self.thread in (None, threading.current_thread())
        self.num_reads += 1
        if self.interrupted():
            raise Interrupted
        if self._next == self.stalls_at:
            self.latch.pass_through((lambda: False) if self.is_deaf else self.interrupted)
        if self._next == self.fails_at:
            raise self.error
        if self._next == self.num_frames:
            return END
        index, self._next = self._next, self._next + 1
        period = 1 / self.info.source_rate
        return SourceFrame(self.payloads[index], self.pts[index], period, self.epoch)

    def seek(self, target: Fraction) -> None:
        assert self.thread in (None, threading.current_thread())
        self.seeks.append(target)
        self._next = max(0, bisect_right(self.pts, target) - 1)

    def close(self) -> None:
        assert self.thread in (None, threading.current_thread())
        self.is_closed = True


def fake_source_frames(info: StreamInfo, num_frames: int, hold: int = 1) -> Iterator[SourceFrame]:
    """Frames at the stream's rate that show a new number every ``hold`` frames."""
    period = 1 / info.source_rate
    payload = numbered(info, 0)
    for i in range(num_frames):
        if i % hold == 0:
            payload = numbered(info, i // hold)
        yield SourceFrame(payload, info.start + i * period, period, 1)


class FakeExecutor:
    """Makes a picture of the grid index for every retime, a moment later if there is a latch.

    Args:
        info: the stream.
        latch: every call passes through it.
        error: raised by the first call.
    """

    def __init__(
        self,
        info: StreamInfo,
        *,
        latch: Latch | None = None,
        error: Exception | None = None,
    ) -> None:
        self._info = info
        self._latch = latch
        self._error = error
        self.num_frames: Literal[2, 3] = 2
        self.variants: frozenset[Variant] = frozenset()
        self.expected: dict[Variant, float] = {}
        self.chosen = FULL
        self.calls: list[list[Any]] = []
        self.kept: list[frozenset[ImageId]] = []
        self.num_resets = 0
        self.made: set[ImageId] = set()
        """Pictures of passes that it keeps."""

    def run(self, work: Work, pictures: Pictures) -> dict[int, Payload]:
        outputs = outputs_of(work)
        self.calls.append(list(outputs) or [work])
        if self._latch is not None:
            self._latch.pass_through()
        error, self._error = self._error, None
        if error is not None:
            raise error
        unheard = {name for name in needs(work) if name not in pictures} - self.made
        if unheard:
            raise KeyError(f"never heard of {unheard}")
        if isinstance(work, Mid):
            self.made.add(work.image)
        return {output.index: numbered(self._info, MADE + output.index) for output in outputs}

    def choose(self, variant: Variant) -> None:
        assert variant == FULL or variant in self.variants
        self.chosen = variant

    def keep(self, needed: Collection[ImageId]) -> None:
        self.kept.append(frozenset(needed))
        self.made &= set(needed)

    def reset(self) -> None:
        self.num_resets += 1
        self.made.clear()

    def take_times(self) -> StageTimes:
        return StageTimes(0.001, 0.002, 0.003)


def offset_of(mkv: VirtualMkv, record: int) -> int:
    """File offset where a record of the virtual file starts."""
    return len(mkv.header) + record * mkv.record_bytes


class FakeFeed:
    """Output frames of a grid; those from ``ready`` on are not there yet.

    Args:
        info: the stream.
        indices: of the frames; after them comes END.
        ready: see above; by default all are there.
    """

    def __init__(self, info: StreamInfo, indices: range, ready: int | None = None) -> None:
        self.frames = {
            i: OutputFrame(numbered(info, i % MADE), i, Fraction(i, 24), Kind.COPY) for i in indices
        }
        self.seeks: list[int] = []
        self.num_reads = 0
        self.is_primed = True
        self.on_prime: Callable[[float], None] = lambda _: None
        self.num_stops = 0
        self.error: Exception | None = None
        self._ready = indices.stop + 1 if ready is None else ready
        self._next = 0
        self._changed = threading.Condition()

    def seek(self, index: int) -> None:
        with self._changed:
            self.seeks.append(index)
            self._next = index

    def read(self, timeout: float) -> OutputFrame | EndOfStream | None:
        with self._changed:
            self.num_reads += 1
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._next < self._ready, timeout):
                return None
            if self._next not in self.frames:
                if self.error is not None:
                    raise self.error
                return END
            self._next += 1
            return self.frames[self._next - 1]

    def wait_primed(self, timeout: float) -> bool:
        self.on_prime(timeout)
        return self.is_primed

    def stop(self) -> None:
        self.num_stops += 1

    def provide(self, ready: int) -> None:
        """Frames before ``ready`` are there from now on."""
        with self._changed:
            self._ready = ready
            self._changed.notify_all()

    def wait_asked(self) -> None:
        """Wait until a reader asks (once more) for a frame."""
        with self._changed:
            wanted = self.num_reads + 1
            assert self._changed.wait_for(lambda: self.num_reads >= wanted, PATIENCE)


class FakeMpv:
    """What mpv says of a file it knows nothing of, with its default options."""

    display_fps: float | None = None
    duration: float | None = 2.0
    track_list: Sequence[Track] = ()

    def __init__(self, start: float | None = None) -> None:
        self.demuxer_start_time = start

    def __getitem__(self, option: str) -> object:
        return {"rebase-start-time": True, "vid": "auto", "track-auto-selection": True}[option]


def raising(error: BaseException | type[BaseException]) -> Callable[..., Any]:
    """A function that takes anything and raises this."""

    def fail(*_: object, **__: object) -> Any:
        raise error

    return fail


def afterwards(function: Callable[..., Any], change: Callable[[Any], Any]) -> Callable[..., Any]:
    """A function whose result is changed."""
    # Not a partial: it may be a method.
    return lambda *arguments: change(function(*arguments))
