"""A started pipeline over a source, and what comes out of it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Self

from fakes import PATIENCE, FakePlayhead, FakeSource, stream_info

from rtvfi.core.frame import END, OutputFrame
from rtvfi.core.rates import Grid
from rtvfi.stream.plan.planner import PlanOptions
from rtvfi.stream.plan.steering import Retiming
from rtvfi.stream.run.parts import Start
from rtvfi.stream.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.frame import StreamInfo
    from rtvfi.stream.decode.source import FrameSource
    from rtvfi.stream.run.executors.executor import Executor
    from rtvfi.stream.run.playhead import Playhead

INFO = stream_info()


def fake_source(num_frames: int = 10, **fields: Any) -> FakeSource:
    """Frames at 24 frames/s."""
    return FakeSource(fields.pop("info", INFO), num_frames, **fields)


class Running:
    """A pipeline at twice the source's rate; use it as a context manager, which closes it.

    Args:
        opener: of the source, see ``Pipeline``.
        executor: used from the start.
        options: fields of ``Start`` and ``PlanOptions``, and ``ring_bytes``.
    """

    def __init__(
        self,
        opener: Callable[[Callable[[], bool]], FrameSource],
        executor: Executor | None = None,
        *,
        playhead: Playhead | None = None,
        **options: Any,
    ) -> None:
        # By default the player is far behind: there is all the time in the world.
        self.playhead = playhead or FakePlayhead(-1e9)
        self.pipeline = Pipeline(opener, self.playhead)
        self._executor = executor
        self._options = options

    def __enter__(self) -> Self:
        info = self.info
        options = dict(self._options)
        ring_bytes = options.pop("ring_bytes", 1 << 28)
        plan = PlanOptions(passes=options.pop("passes", 0))
        self.grid = Grid(info.start, 1 / (options.pop("ratio", 2) * info.source_rate))
        fields: dict[str, Any] = {
            "origin": Fraction(0),
            "attainable": 1.0,
            "ring_frames": 4,
            "prime_frames": 2,
        }
        start = Start(grid=self.grid, plan=plan, **(fields | options))
        self.pipeline.start(start, ring_bytes)
        self.pipeline.use(self._executor)
        return self

    def __exit__(self, *_: object) -> None:
        self.pipeline.close()

    @property
    def info(self) -> StreamInfo:
        """The stream; opens it."""
        return self.pipeline.open()

    def seek(self, index: int) -> None:
        """The next frame read is ``index``."""
        self.pipeline.seek(index)

    def read(self) -> OutputFrame | None:
        """The next frame; None at the end."""
        frame = self.pipeline.read(PATIENCE)
        if frame is END:
            return None
        assert isinstance(frame, OutputFrame), "no frame came"
        return frame

    def take(self, count: int) -> list[OutputFrame]:
        """The next frames, fewer at the end."""
        frames: list[OutputFrame] = []
        while len(frames) < count and (frame := self.read()) is not None:
            frames.append(frame)
        return frames

    def all(self, index: int = 0) -> list[OutputFrame]:
        """Everything from ``index`` on."""
        self.seek(index)
        return self.take(1_000_000)


def smoothed(executor: Executor, num_frames: int, hold: int) -> PlanOptions:
    """How a film whose drawings are held for so many frames is planned in the style smooth."""
    source = fake_source(num_frames, numbers=[i // hold for i in range(num_frames)])
    with Running(source.opener, executor, retiming=Retiming(style="smooth")) as running:
        running.all()
        plan = running.pipeline.statistics().plan
    assert plan is not None
    return plan
