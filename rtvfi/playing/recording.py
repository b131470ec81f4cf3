"""Makes the recorder of a viewing, and renders the parts that were skipped."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.engine.build import pipeline_for, rendering
from rtvfi.engine.device import take_every_core
from rtvfi.engine.model_host import ModelHost
from rtvfi.render.frames import TURN_SECONDS, frames, put_all, seek_index, terminable
from rtvfi.render.progress import RichProgress, State
from rtvfi.stream.record.notes import NAME as NOTES
from rtvfi.stream.record.recorder import Recorder, say_files, say_kept
from rtvfi.stream.record.rescue import rescue
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.write.journal import journal_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.engine.build import Rendering
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.record.assemble import Recorded, Viewed
    from rtvfi.stream.record.recorder import Summary
    from rtvfi.stream.write.writer import Writer

log = logging.getLogger(__name__)

_LEAD_IN_SECONDS: Final = 30
"""Seconds of film before a gap that are analysed for the cadence: ten times what is remembered of a
scene. Analysing an hour of film would take minutes.
"""


def recorder_for(options: PlayOptions, say: Callable[[str], None]) -> Recorder | None:
    """The recorder for ``--record``; None without that option.

    Raises:
        UsageError, EncodeError: the file cannot be written.
    """
    if options.record is None:
        return None
    filler = Filling(options) if options.completes_recording else None
    return Recorder.open(
        options.record, options.files, options.encode, say, force=options.force, filler=filler
    )


def recorded_apart(options: PlayOptions, say: Callable[[str], None]) -> Summary:
    """Make the files from the pieces that engines in other processes have recorded; all of them
    must have ended.

    Returns:
        What was recorded, for the report.
    """
    assert options.record is not None
    files: list[Recorded] = []
    error = None
    if (journal_folder(options.record) / NOTES).exists():
        filler = Filling(options) if options.completes_recording else None
        try:
            files = rescue(options.record, options.encode, say, filler)
        except RtvfiError as failure:
            error = failure.message
            log.warning("recording: %s", error)
            say_kept(options.record)
    say_files(files)
    say_gaps(files)
    return {"files": files, "error": error}


def say_gaps(files: list[Recorded]) -> None:
    """Tell the user what is missing in a recording because an engine died."""
    for file, later in zip_longest(files, files[1:]):
        if not file["is_cut_off"]:
            continue
        where = f'"{file["source"]}"'
        if later is not None and later["source"] == file["source"]:
            missing = f"{file['to']:.2f} s to {later['from']:.2f} s of {where} are missing"
            log.warning("the recording has a gap, because the engine died: %s", missing)
        else:
            missing = f"{where} is recorded up to {file['to']:.2f} s"
            log.warning("the recording ends early, because the engine died: %s", missing)


class Filling:
    """A ``record.Filler``: renders ranges of a film that was played, with the settings at the start
    of playback.
    """

    def __init__(self, options: PlayOptions) -> None:
        self._options = options
        self._models = ModelHost(options.device, options.stream)

    def __call__(self, viewed: Viewed, start: int, stop: int, writer: Writer) -> None:
        """Render the frames [start, stop) into the writer.

        Raises:
            RtvfiError: they cannot be rendered.
            KeyboardInterrupt: the user pressed Ctrl+C.
        """
        options = self._options
        source = replace(options.source, stream_index=viewed.info.stream_index)
        pipeline = pipeline_for(viewed.source, source, options.stream, Playhead())
        progress = RichProgress(viewed.source, writer.job.path)
        try:
            with terminable():
                made = rendering(pipeline, pipeline.open(), options.stream, viewed.grid, start)
                if viewed.has_model:
                    pipeline.use(self._models.executor(options.model, made))
                    take_every_core()  # the player needs none any more
                grid, zero = viewed.grid, viewed.zero
                log.info(
                    "filling %.2f s to %.2f s: %d frames, Ctrl+C leaves the parts as they are",
                    *(float(grid.pts(index) - zero) for index in (start, stop)),
                    stop - start,
                )
                lead_in = round(_LEAD_IN_SECONDS / grid.step)
                begin = seek_index(made, options.stream, start, max(0, start - lead_in))
                look = _Look(made, stop - start, writer, progress)
                put_all(frames(made, begin, stop), writer, look)
        finally:
            progress.end()
            pipeline.close()


class _Look:
    """Shows the progress; called periodically."""

    def __init__(self, made: Rendering, total: int, writer: Writer, progress: RichProgress) -> None:
        self._made = made
        self._total = total
        self._writer = writer
        self._progress = progress
        self._shown = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._shown < TURN_SECONDS:
            return
        self._shown = now
        count = self._writer.statistics.num_frames
        path = self._writer.job.path
        samples = self._made.pipeline.statistics().samples_ms
        self._progress.show(
            State(
                num_frames=count,
                num_made=count,
                total=self._total,
                num_bytes=path.stat().st_size if path.exists() else 0,
                stages_ms={name: sum(ms) / len(ms) for name, ms in samples.items() if ms},
            )
        )
