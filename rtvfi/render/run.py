"""Frames of a film on their way to a writer, and what is told meanwhile."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtvfi.core.errors import DecodeError, OpenError
from rtvfi.core.frame import OutputFrame
from rtvfi.render.frames import TURN_SECONDS, frames, put_all, seek_index
from rtvfi.render.progress import State
from rtvfi.render.target import kept_pngs
from rtvfi.stream.write.job import Job
from rtvfi.stream.write.montage import Montage
from rtvfi.stream.write.picture_writer import open_writer
from rtvfi.stream.write.shown import Shown
from rtvfi.stream.write.timeline import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtvfi.render.maker import Film, Pipelines
    from rtvfi.settings.config import RenderOptions
    from rtvfi.stream.write.writer import Writer, WriterStatistics

log = logging.getLogger(__name__)


class Run:
    """One part of a film under way.

    Args:
        options: what was asked for.
        film: opened; its part is what an unbroken rendering holds.
        pipelines: of the film, begun at ``first``.
        first: the first picture that is made here; those before it are there already.
    """

    def __init__(
        self, options: RenderOptions, film: Film, pipelines: Pipelines, first: int
    ) -> None:
        self._options = options
        self._film = film
        self._made, self._given = pipelines.made, pipelines.given
        self._first = first
        self._shown_as = Shown(film.info)
        self._montage = Montage(self._shown_as.info) if pipelines.given else None
        self._shown = 0.0
        """Clock of the last look at the progress."""

    def write(
        self, job: Job, stop: int | None, show: Callable[[State], None]
    ) -> tuple[bool, WriterStatistics]:
        """Make every frame and write it; what was made stays written whatever happens.

        Args:
            job: the file.
            stop: index to stop at; None = the end of the film.
            show: told how far it is.

        Returns:
            Whether it was not interrupted, and what the writer counted.

        Raises:
            RtvfiError: what stopped it.
        """
        writer = open_writer(job)

        def look() -> None:
            now = time.monotonic()
            if now - self._shown >= TURN_SECONDS:
                self._shown = now
                show(self._state(writer, stop))

        try:
            put_all(self._frames(stop), writer, look)
        except KeyboardInterrupt:
            writer.finish()
            return False, writer.statistics
        except BaseException:
            if writer.error is None:
                writer.finish()
            raise
        writer.finish(is_whole=stop is None)
        show(self._state(writer, stop))
        return True, writer.statistics

    def _frames(self, stop: int | None) -> Iterator[OutputFrame | None]:
        begin = seek_index(self._made, self._options.stream, self._first, self._film.part.first)
        if self._given is not None:
            self._given.seek(begin)
        for frame in frames(self._made, begin, stop):
            yield None if frame is None else self._shown_frame(frame)

    def _shown_frame(self, made: OutputFrame) -> OutputFrame:
        """The frame itself, or the one with the source beside it."""
        if self._given is None or self._montage is None:
            return made
        given = self._given.read(None)
        if not isinstance(given, OutputFrame) or given.index != made.index:
            raise DecodeError(f"the source has no picture at {float(made.pts):.3f} s, twice read")
        left, right = (self._shown_as(frame.payload) for frame in (given, made))
        return replace(made, payload=self._montage.join(left, right))

    def _state(self, writer: Writer, stop: int | None) -> State:
        statistics, job = writer.statistics, writer.job
        num_made = max(0, statistics.num_frames - (self._first - job.first_index))
        try:
            num_bytes = job.path.stat().st_size
        except OSError:
            num_bytes = 0
        samples = self._made.pipeline.statistics().samples_ms
        stages = {name: sum(ms) / len(ms) for name, ms in samples.items() if ms}
        stages["encode"] = statistics.encode_seconds * 1e3 / max(1, num_made)
        last = self._film.last(stop)
        return State(
            num_frames=statistics.num_frames,
            num_made=num_made,
            total=None if last is None else last - job.first_index,
            num_bytes=num_bytes,
            stages_ms=stages,
        )


def whole_job(
    options: RenderOptions,
    film: Film,
    target: Path,
    form: str,
    carried: tuple[Path, int] | None = None,
) -> Job:
    """All of a film's part as one file.

    Args:
        options: what was asked for.
        film: opened.
        target: where it goes.
        form: see ``output_form``.
        carried: see ``Job.carried``.
    """
    grid, part, shown = film.grid, film.part, Shown(film.info)
    is_cut = options.start != 0 or options.end is not None
    zero = grid.pts(part.first) if options.start else part.zero
    end = None if part.stop is None else grid.pts(part.stop)
    return Job(
        path=target,
        container=form,
        info=Montage(shown.info).info if options.is_montage else shown.info,
        shown=None if options.is_montage else shown,
        grid=grid,
        first_index=part.first,
        span=Span(zero=zero, start=grid.pts(part.first) if is_cut else None, end=end),
        encode=options.encode,
        source=None if Path(film.source).is_dir() else film.source,
        has_audio=options.has_audio,
        carried=carried,
        pngs=kept_pngs(target) if options.keeps_pngs else None,
    )


def check_not_empty(statistics: WriterStatistics, target: Path) -> None:
    """Raise OpenError for a file without pictures."""
    if not statistics.num_frames:
        raise OpenError(f'"{target.name}" would be empty: no frame at or after --start')
