"""Writes the frames of one part of a film, and reports progress meanwhile."""

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
    """The rendering of one part of a film.

    Args:
        options: of the rendering.
        film: an open film; ``film.part`` is what an uninterrupted rendering would contain.
        pipelines: of the film, started at ``first``.
        first: grid index of the first picture to render; those before it exist already.
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
        """Value of ``time.monotonic`` when progress was last shown."""

    def write(
        self, job: Job, stop: int | None, show: Callable[[State], None]
    ) -> tuple[bool, WriterStatistics]:
        """Render and write all frames. After an error or interruption, the file still contains what
        was rendered so far.

        Args:
            job: the file to write.
            stop: grid index to stop before; None = the end of the film.
            show: called with the progress.

        Returns:
            Whether it ran to the end without being interrupted, and the writer's statistics.

        Raises:
            RtvfiError: the pipeline or the writer failed.
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
        """The frame itself or, for a montage, the source frame and the result side by side."""
        if self._given is None or self._montage is None:
            return made
        given = self._given.read(None)
        if not isinstance(given, OutputFrame) or given.index != made.index:
            raise DecodeError(
                f"the montage found no source picture at {float(made.pts):.3f} s: "
                "the file was decoded differently the second time"
            )
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
    """The job of writing the whole part of a film to one file.

    Args:
        options: of the rendering.
        film: an open film.
        target: path of the output.
        form: format of the output, see ``output_form``.
        carried: frames of an earlier run to continue from, see ``Job.carried``.
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
    """Raise OpenError if no frame was written."""
    if not statistics.num_frames:
        raise OpenError(f'"{target.name}" would be empty: no frame at or after --start')
