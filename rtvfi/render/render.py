"""``rtvfi render``: renders films to files, as fast as the machine allows.

Decoding, the network and encoding run concurrently, each on its own thread; the calling thread
passes frames from the pipeline to the writer and shows progress.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from rtvfi.core.errors import RtvfiError, UsageError
from rtvfi.engine.device import resolve_device
from rtvfi.render.frames import terminable
from rtvfi.render.maker import Maker
from rtvfi.render.run import Run, check_not_empty, whole_job
from rtvfi.render.shows import Shows
from rtvfi.render.target import check_output, journal_for, target_path
from rtvfi.stream.write.beside.companion import say_differences
from rtvfi.stream.write.encoders.codecs import CODECS
from rtvfi.stream.write.encoders.encode import check_encoder
from rtvfi.stream.write.join import FileExcerpt, join
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT
from rtvfi.stream.write.picture_writer import holds_pictures, output_form
from rtvfi.stream.write.shown import Shown
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from pathlib import Path

    from rtvfi.render.maker import Film
    from rtvfi.settings.config import RenderOptions
    from rtvfi.stream.write.job import Job
    from rtvfi.stream.write.journal import Journal

log = logging.getLogger(__name__)


def render(options: RenderOptions) -> int:
    """Render all files; if one fails, the others are still rendered.

    Returns:
        The exit code: 0 when all were rendered, 130 after Ctrl+C.

    Raises:
        RtvfiError: the options are unusable, or the first failure of a file.
    """
    if options.device not in ("auto", "cpu"):
        resolve_device(options.device)
    failures: list[RtvfiError] = []
    with terminable(), Shows(options) as shows:
        renderer = _Renderer(options, shows)
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


class _Renderer:
    """Renders one file after the other with the same options and model."""

    def __init__(self, options: RenderOptions, shows: Shows) -> None:
        self._options = options
        self._maker = Maker(options)
        self._shows = shows

    def render(self, source: str) -> bool:
        """Render one file; returns False if it was interrupted."""
        options, maker = self._options, self._maker
        with ExitStack() as opened:
            film = maker.open(source, opened)
            target, form = checked_target(options, film)
            line = Timeline(film.grid, film.part.first)
            journal = journal_for(options, target, form, maker.facts(film), line)
            if options.must_resume and journal.carried is None:
                raise UsageError(f'"{target}" cannot be resumed', "leave --resume out")
            first = film.part.first + journal.num_carried
            if journal.num_carried:
                log.info("continuing after %d frames", journal.num_carried)
            run = Run(options, film, maker.begin(film, opened, first), first)
            job = whole_job(options, film, target, form, journal.carried)
            return self._write(run, job, film, journal)

    def _write(self, run: Run, job: Job, film: Film, journal: Journal) -> bool:
        is_of_pictures = holds_pictures(job.container)
        if job.source is not None and not is_of_pictures:
            say_differences(job.source, job.container, has_audio=job.has_audio)
        is_direct = job.container == CRASH_SAFE_FORMAT or is_of_pictures
        growing = job if is_direct else pictures_alone(job, journal.growing)
        progress = self._shows.begin(film.source, job.path)
        try:
            is_done, written = run.write(growing, film.part.stop, progress.show)
        finally:
            progress.end()
        if is_done:
            check_not_empty(written, job.path)
        if not is_direct and written.num_frames:
            stopped = job
            if not is_done:
                end = job.grid.pts(job.first_index + written.num_frames)
                stopped = replace(job, span=replace(job.span, end=end))
            reorder = CODECS[written.encoder].reorder
            join([FileExcerpt(growing.path, 0, written.num_frames)], stopped, reorder)
        if not is_done:
            hint = "" if is_of_pictures else "; run the same command again to continue"
            log.info('stopped: "%s" has %d frames%s', job.path, written.num_frames, hint)
            return False
        journal.end()
        log.info('"%s": %d frames, %s', job.path, written.num_frames, written.encoder)
        return True


def checked_target(options: RenderOptions, film: Film) -> tuple[Path, str]:
    """Choose the output path and format (see ``output_form``) of a film, before any work is done.

    Raises:
        RtvfiError: the output cannot or must not be written.
    """
    target = target_path(options, film.source, 1 / film.grid.step)
    form = output_form(target, is_folder=options.is_png_only)
    check_output(options, film.source, target, form)
    if not holds_pictures(form):
        check_encoder(form, Shown(film.info).info, options.encode)
    return target, form


def pictures_alone(job: Job, path: Path) -> Job:
    """A job that writes the same pictures to ``path``, without sound and in a format that remains
    readable when the process is killed; the result is joined into the real output afterwards.
    """
    becomes = None if job.container == CRASH_SAFE_FORMAT else job.container
    return replace(job, path=path, container=CRASH_SAFE_FORMAT, becomes=becomes, source=None)
