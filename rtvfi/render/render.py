"""``rtvfi render``: files in, files out, every frame made by the model, as fast as it goes.

Decoding, the network and encoding run at the same time, each on a thread of its own; this one
hands frames from the pipeline to the writer and watches.
"""

from __future__ import annotations

import logging
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rtvfi.core.errors import DecodeError, OpenError, RtvfiError, UsageError
from rtvfi.core.frame import OutputFrame
from rtvfi.engine.build import Rendering, pipeline_for, rendering
from rtvfi.engine.device import resolve_device
from rtvfi.engine.enhance import Enhancer
from rtvfi.engine.model_host import ModelHost
from rtvfi.models.weights.store import find_weights, sha256_of
from rtvfi.render.clock import Part, clock_of, part_of
from rtvfi.render.progress import JsonProgress, RichProgress, State
from rtvfi.render.stretch import TURN_SECONDS, frames, put_all, seek_index, terminable
from rtvfi.render.suited import check_pictures, check_timeline
from rtvfi.render.target import check_output, journal_for, kept_pngs, target_path
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.write.beside.companion import say_differences
from rtvfi.stream.write.encoders.codecs import CODECS
from rtvfi.stream.write.encoders.encode import check_encoder
from rtvfi.stream.write.job import Job
from rtvfi.stream.write.join import Excerpt, join
from rtvfi.stream.write.journal import Journal, file_facts
from rtvfi.stream.write.montage import Montage
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT
from rtvfi.stream.write.picture_writer import holds_pictures, open_writer, output_form
from rtvfi.stream.write.shown import Shown
from rtvfi.stream.write.timeline import Span, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtvfi.core.rates import Grid
    from rtvfi.render.progress import Progress
    from rtvfi.settings.config import RenderOptions
    from rtvfi.stream.run.pipeline import Pipeline
    from rtvfi.stream.write.writer import Writer

log = logging.getLogger(__name__)


def render(options: RenderOptions) -> int:
    """Render every file; one that fails does not keep the others from being rendered.

    Returns:
        0 when all were rendered, 130 after Ctrl+C.

    Raises:
        RtvfiError: what was asked for cannot run, or the first failure of a file.
    """
    weights = find_weights(options.model)
    if options.device not in ("auto", "cpu"):
        resolve_device(options.device)
    renderer = _Renderer(options, weights)
    failures: list[RtvfiError] = []
    with terminable():
        for source in options.files:
            try:
                if not renderer.render(source):
                    return 130
            except UsageError:
                raise
            except RtvfiError as error:
                if len(options.files) > 1:
                    log.warning("%s: %s", source, error.message)
                failures.append(error)
    if failures:
        raise failures[0]
    return 0


@dataclass(frozen=True, slots=True)
class _Pipelines:
    """Where the pictures of a file come from."""

    made: Rendering
    given: Pipeline | None
    """The nearest source frames on the same grid, for a montage."""


class _Renderer:
    """Renders one file after the other with the same options and model."""

    def __init__(self, options: RenderOptions, weights: Path | None) -> None:
        self._options = options
        self._models = ModelHost(options.device, options.stream, selftest=options.selftest)
        self._weights = None if weights is None else sha256_of(weights)
        self._enhancer = (
            None if options.enhance is None else Enhancer(options.enhance, options.device)
        )
        self._has_model = options.model != "copy" and options.stream.style != "off"

    def render(self, source: str) -> bool:
        """One file; False when it was interrupted."""
        with ExitStack() as opened:
            return self._render(source, opened)

    def _render(self, source: str, opened: ExitStack) -> bool:
        options = self._options
        check_timeline(source)
        pipeline = self._pipeline(source, opened, self._enhancer)
        info = pipeline.open()
        check_pictures(source, info)
        grid = clock_of(options, source, info)
        target = target_path(options, source, 1 / grid.step)
        form = output_form(target, is_folder=options.is_png_only)
        check_output(options, source, target, form)
        if not holds_pictures(form):
            check_encoder(form, Shown(info).info, options.encode)
        part = part_of(options, source, info, grid)
        facts = self._facts(source, grid, part)
        journal = journal_for(options, target, form, facts, Timeline(grid, part.first))
        if options.must_resume and journal.carried is None:
            raise UsageError(f'there is nothing of "{target}" to resume', "leave --resume out")
        first = part.first + journal.num_carried
        made = rendering(pipeline, info, options.stream, grid, first)
        if self._has_model:
            pipeline.use(self._models.executor(options.model, made))
        given = None
        if options.is_montage:  # a pipeline without a model shows the nearest source frames
            given = self._pipeline(source, opened)
            rendering(given, given.open(), replace(options.stream, style="plain"), grid, first)
        return _Run(options, _Pipelines(made, given), part, journal, target).run(source, form)

    def _pipeline(
        self, source: str, opened: ExitStack, enhancer: Enhancer | None = None
    ) -> Pipeline:
        options = self._options
        around = None if enhancer is None else enhancer.around
        pipeline = pipeline_for(source, options.source, options.stream, Playhead(), around)
        opened.callback(pipeline.close)
        return pipeline

    def _facts(self, source: str, grid: Grid, part: Part) -> dict[str, Any]:
        """All that the pictures of the file depend on."""
        options = self._options
        return {
            "version": 3,
            "enhance": self._enhancer and [options.enhance, self._enhancer.weights],
            "input": file_facts(source),
            "model": options.model if self._has_model else None,
            "weights": self._weights,
            "device": options.device,
            "target_rate": str(1 / grid.step),
            "keeps_times": options.keeps_times,
            "first": part.first,
            "stop": part.stop,
            "deinterlace": options.source.deinterlace,
            "picture_rate": str(options.source.picture_rate),
            "stream": options.stream.facts(),
            "encode": options.encode.facts(),
            "has_audio": options.has_audio,
            "keeps_pngs": options.keeps_pngs,
            "is_montage": options.is_montage,
            "av": metadata.version("av"),
        }


class _Run:
    """One file under way."""

    def __init__(
        self,
        options: RenderOptions,
        pipelines: _Pipelines,
        part: Part,
        journal: Journal,
        target: Path,
    ) -> None:
        self._options = options
        self._made = pipelines.made
        self._given = pipelines.given
        self._shown_as = Shown(pipelines.made.info)
        self._montage = Montage(self._shown_as.info) if pipelines.given else None
        self._part = part
        self._journal = journal
        self._target = target
        self._shown = 0.0
        """Clock of the last look at the progress."""

    def run(self, source: str, form: str) -> bool:
        """Write the file; False when it was interrupted."""
        job = self._job(source, form)
        if job.source is not None and not holds_pictures(form):
            say_differences(job.source, form, has_audio=job.has_audio)
        is_direct = form == CRASH_SAFE_FORMAT or holds_pictures(form)
        growing = job
        if not is_direct:
            growing = replace(
                job,
                path=self._journal.growing,
                container=CRASH_SAFE_FORMAT,
                becomes=form,
                source=None,
            )
        writer = open_writer(growing)
        shown = JsonProgress if self._options.is_json else RichProgress
        progress = shown(source, self._target)
        try:
            is_done = self._feed(writer, progress)
        finally:
            progress.end()
        count = writer.statistics.num_frames
        if not is_direct and count:
            stopped = job
            if not is_done:
                end = job.grid.pts(job.first_index + count)
                stopped = replace(job, span=replace(job.span, end=end))
            reorder = CODECS[writer.statistics.encoder].reorder
            join([Excerpt(growing.path, 0, count)], stopped, reorder)
        if not is_done:
            goes_on = "" if holds_pictures(form) else "; the same command goes on"
            log.info('stopped: "%s" holds %d frames%s', self._target, count, goes_on)
            return False
        self._journal.end()
        log.info('"%s": %d frames, %s', self._target, count, writer.statistics.encoder)
        return True

    def _job(self, source: str, form: str) -> Job:
        options, made, part = self._options, self._made, self._part
        grid = made.grid
        is_cut = options.start != 0 or options.end is not None
        zero = grid.pts(part.first) if options.start else part.zero
        end = None
        if part.stop is not None:
            end = grid.pts(part.stop)
        span = Span(zero=zero, start=grid.pts(part.first) if is_cut else None, end=end)
        return Job(
            path=self._target,
            container=form,
            info=self._montage.info if self._montage else self._shown_as.info,
            shown=None if self._montage else self._shown_as,
            grid=grid,
            first_index=part.first,
            span=span,
            encode=options.encode,
            source=None if Path(source).is_dir() else source,
            has_audio=options.has_audio,
            carried=self._journal.carried,
            pngs=kept_pngs(self._target) if options.keeps_pngs else None,
        )

    def _feed(self, writer: Writer, progress: Progress) -> bool:
        """Hand over every frame; False when interrupted. The writer has ended afterwards."""
        try:
            put_all(self._frames(), writer, lambda: self._show(writer, progress))
        except KeyboardInterrupt:
            writer.finish()
            return False
        except BaseException:
            if writer.error is None:
                writer.finish()
            raise
        is_whole = self._part.stop is None
        writer.finish(is_whole=is_whole)
        self._show(writer, progress, is_last=True)
        if not writer.statistics.num_frames:
            raise OpenError(f'"{self._target.name}" would be empty: no frame at or after --start')
        return True

    def _frames(self) -> Iterator[OutputFrame | None]:
        part, carried = self._part, self._journal.num_carried
        first = part.first + carried
        if carried:
            log.info("going on after %d frames", carried)
        begin = seek_index(self._made, self._options.stream, first, part.first)
        if self._given is not None:
            self._given.seek(begin)
        for frame in frames(self._made, begin, part.stop):
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

    def _show(self, writer: Writer, progress: Progress, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if now - self._shown < TURN_SECONDS and not is_last:
            return
        self._shown = now
        info, part, grid = self._made.info, self._part, self._made.grid
        stop = part.stop
        if info.duration is not None:
            last = grid.first_at_or_after(info.start + info.duration)
            stop = last if stop is None else min(stop, last)
        statistics = writer.statistics
        carried = self._journal.num_carried
        try:
            num_bytes = self._journal.growing.stat().st_size
        except OSError:
            num_bytes = 0
        made = max(0, statistics.num_frames - carried)
        samples = self._made.pipeline.statistics().samples_ms
        stages = {name: sum(ms) / len(ms) for name, ms in samples.items() if ms}
        stages["encode"] = statistics.encode_seconds * 1e3 / max(1, made)
        progress.show(
            State(
                num_frames=statistics.num_frames,
                num_made=made,
                total=None if stop is None else stop - part.first,
                num_bytes=num_bytes,
                stages_ms=stages,
            )
        )
