"""Records what is played: every frame of the pipeline, whether or not the display showed it.

A ``Recording`` is the tap of one pipeline. It passes frames to a writer; a seek ends the writer's
file and begins another. When the player is closed, the files of one viewing are joined in order of
time. The first one is the file the user named, so that an ordinary viewing, which begins at the
start and never seeks back, is complete the moment it ends, and survives a kill.

Playback continues whatever happens here: a writer that fails or hangs ends the recording with a
message.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypedDict

from rtvfi.core.errors import EncodeError, OpenError, RtvfiError, UsageError
from rtvfi.core.program import command_line
from rtvfi.stream.record.assemble import (
    Assembly,
    Recorded,
    Viewed,
    job_of,
    segment_of,
    worth_keeping,
)
from rtvfi.stream.record.islands import Segment, gaps, islands
from rtvfi.stream.record.notes import Notes
from rtvfi.stream.write.beside.companion import say_differences
from rtvfi.stream.write.encoders.codecs import LIKELY, check_quality, find_codec
from rtvfi.stream.write.journal import journal_folder
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT, check_target, container_format
from rtvfi.stream.write.pieces import Gops, survey
from rtvfi.stream.write.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rtvfi.core.frame import OutputFrame
    from rtvfi.core.options import EncodeOptions

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 5.0
"""A writer that takes no frame for this long hangs."""
_NOTICED_SECONDS: Final = 0.25
"""A longer wait for the writer is reported, because it delays playback."""

Filler = Callable[[Viewed, int, int, Writer], None]
"""Renders the frames [start, stop) of a stream into a writer; raises KeyboardInterrupt when the
user stops it.
"""


@dataclass(slots=True)
class _Segment:
    writer: Writer
    epoch: int
    first: int
    next: int
    rough: list[int] = field(default_factory=list)


class Summary(TypedDict):
    """What was recorded, for the report."""

    files: list[Recorded]
    error: str | None


class Recorder:
    """All recordings of one player, and the files they become; ``open`` makes one.

    Args:
        path: the file the user named, a Matroska file.
        encode: how to encode; ``is_live`` is set here.
        say: shows a sentence to the user; may be called from any thread.
        filler: renders what was skipped between the first and the last moment watched; None leaves
            the gaps.
    """

    def __init__(
        self,
        path: Path,
        encode: EncodeOptions,
        say: Callable[[str], None],
        filler: Filler | None = None,
    ) -> None:
        self.path = path
        self.encode = replace(encode, is_live=True)
        self._folder = journal_folder(path)
        self._say = say
        self._filler = filler
        self._numbers = itertools.count(1)
        self._recordings: list[Recording] = []
        self._notes: Notes | None = None
        self._lock = threading.Lock()
        self.error: RtvfiError | None = None
        """Why recording stopped early; None if it did not."""

    @classmethod
    def open(
        cls,
        path: Path,
        sources: tuple[str, ...],
        encode: EncodeOptions,
        say: Callable[[str], None],
        *,
        force: bool = False,
        filler: Filler | None = None,
    ) -> Recorder:
        """Check that a recording can be made, and remove the pieces of an older one if ``force``.

        Args:
            path: as for the class, like ``encode``, ``say`` and ``filler``.
            sources: the files that will be played.
            force: overwrite existing files.

        Raises:
            UsageError: the file exists or is an input, its name is not that of a Matroska file, or
                the quality is out of the encoder's range.
            EncodeError: its folder does not exist.
        """
        folder = journal_folder(path)
        if folder.exists() and not force:
            raise UsageError(
                f'"{folder}" holds pieces of a recording that was killed',
                command_line(f'join "{path}" puts them together, --force overwrites them'),
            )
        check_target(path, sources, force=force)
        if container_format(path) != CRASH_SAFE_FORMAT:
            raise UsageError(
                f'"{path.name}" cannot be recorded: what is interrupted would be lost',
                f'use "{path.stem}.mkv"; {command_line("render")} writes other files',
            )
        check_quality(
            find_codec(LIKELY if encode.encoder == "auto" else encode.encoder), encode.crf
        )
        if force:
            shutil.rmtree(folder, ignore_errors=True)
        return cls(path, encode, say, filler)

    def recording(self, viewed: Viewed) -> Recording:
        """Make the tap of a pipeline that plays this stream."""
        with suppress(OpenError):  # reported when the file is written
            say_differences(viewed.source, CRASH_SAFE_FORMAT)
        recording = Recording(self, viewed, len(self._recordings))
        self._recordings.append(recording)
        return recording

    def next_path(self, recording: Recording, first: int) -> Path:
        """Path of the next segment, which begins at grid index ``first``; the first segment is the
        file the user named.
        """
        with self._lock:
            notes, number = self._begun_notes(), next(self._numbers)
            path = self.path if number == 1 else self._folder / f"segment-{number:04}.mkv"
            if not recording.is_begun:
                notes.stream(recording.number, recording.viewed)
            notes.begin(path, recording.number, first)
        return path

    def _begun_notes(self) -> Notes:
        """The notes; they and their folder are created with the first segment."""
        self._folder.mkdir(exist_ok=True)
        if self._notes is None:
            self._notes = Notes(self._folder)
        return self._notes

    def ended(self, segment: _Segment) -> None:
        """Note the stand-ins of a finished segment."""
        with self._lock:
            if self._notes is not None:
                self._notes.end(segment.writer.job.path, segment.rough)

    def say(self, text: str) -> None:
        """Show a sentence to the user."""
        self._say(text)

    def stop(self, error: RtvfiError) -> None:
        """Stop recording; the first error is kept."""
        with self._lock:
            is_first = self.error is None
            if is_first:
                self.error = error
        if is_first:
            self._say(f"recording stopped: {error.message}")

    def close(self) -> Summary:
        """End all files and join them; the pipelines must have stopped.

        Returns:
            What was recorded, for the report.
        """
        files: list[Recorded] = []
        assembly = Assembly(self.path, self._folder, self.encode)
        try:
            for recording in self._recordings:
                viewed, segments = recording.viewed, recording.close()
                segments += self._fill(viewed, segments)
                files += assembly.build(viewed, islands(segments))
        except (RtvfiError, OSError) as error:
            if isinstance(error, RtvfiError):
                self.stop(error)
            else:
                message = f"the recording cannot be put together: {error.strerror}"
                self.stop(EncodeError(message))
            log.warning("the pieces are kept: %s", command_line(f'join "{self.path}"'))
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
        finally:
            if self._notes is not None:
                self._notes.close()
        if not files:
            log.warning("nothing was recorded")
        for file in files:
            log.info('recorded "%s": %d frames', file["path"], file["frames"])
        return {"files": files, "error": self.error.message if self.error else None}

    def _fill(self, viewed: Viewed, segments: list[Segment]) -> list[Segment]:
        """Render the gaps between what was watched: all of them, or none if that is interrupted."""
        if self._filler is None or self.error is not None:
            return []
        missing = gaps(worth_keeping(viewed, islands(segments)))
        filled: list[Segment] = []
        try:
            for start, stop in missing:
                filled.append(self._filled(self._filler, viewed, start, stop))
        except KeyboardInterrupt:
            self._say("filling was stopped: what was watched stays in parts")
            return []
        except (RtvfiError, OSError) as error:
            reason = error.message if isinstance(error, RtvfiError) else error.strerror
            log.warning("what was watched stays in parts, the gaps cannot be filled: %s", reason)
            return []
        return filled

    def _filled(self, filler: Filler, viewed: Viewed, start: int, stop: int) -> Segment:
        path = self._folder / f"filled-{start}.mkv"
        writer = Writer(job_of(path, viewed, start, self.encode))
        try:
            filler(viewed, start, stop, writer)
        except BaseException:
            writer.abort()
            raise
        writer.finish()
        segment = surveyed(writer, viewed, start)
        if segment.stop < stop:
            raise EncodeError("the film is shorter now")
        return replace(segment, is_filled=True, num_settling=0)


class Recording:
    """Passes the frames of one pipeline into segments; ``tap`` runs on its compute thread."""

    def __init__(self, recorder: Recorder, viewed: Viewed, number: int) -> None:
        self.viewed = viewed
        self.number = number
        """Number of this stream among those of the recorder."""
        self._recorder = recorder
        self._segments: list[_Segment] = []
        self._is_warned = False

    @property
    def is_begun(self) -> bool:
        """Whether it has a segment yet."""
        return bool(self._segments)

    def tap(self, frame: OutputFrame, is_final: bool) -> None:
        """Record a frame; waits while the writer is behind, and says so if that takes long."""
        if self._recorder.error is not None:
            return
        segment = self._segments[-1] if self._segments else None
        if segment is None or segment.epoch != frame.epoch or segment.next != frame.index:
            try:
                segment = self._begin(frame)
            except OSError as error:
                self._recorder.stop(EncodeError(f"no file can be made: {error.strerror}"))
                return
        if self._put(segment.writer, frame):
            segment.next += 1
            if self.viewed.has_model and not is_final:
                segment.rough.append(frame.index)

    def _begin(self, frame: OutputFrame) -> _Segment:
        """Begin a segment after a seek; the previous one is finished by its own thread."""
        recorder, first = self._recorder, frame.index
        if self._segments:
            self._segments[-1].writer.begin_finish()
            recorder.ended(self._segments[-1])
        path = recorder.next_path(self, first)
        writer = Writer(job_of(path, self.viewed, first, recorder.encode))
        self._segments.append(_Segment(writer, frame.epoch, frame.index, frame.index))
        return self._segments[-1]

    def _put(self, writer: Writer, frame: OutputFrame) -> bool:
        if writer.put(frame, _NOTICED_SECONDS):
            return True
        if writer.error is None and not self._is_warned:
            self._is_warned = True
            self._recorder.say("recording cannot keep up: playback waits for it")
        if writer.error is None and writer.put(frame, PATIENCE_SECONDS):
            return True
        self._recorder.stop(
            writer.error or EncodeError(f"no frame was taken for {PATIENCE_SECONDS:g} s")
        )
        return False

    def close(self) -> list[Segment]:
        """End all segments; returns what each one holds."""
        found = []
        for segment in self._segments:
            try:
                segment.writer.finish()
            except RtvfiError as error:
                self._recorder.stop(error)
            found.append(surveyed(segment.writer, self.viewed, segment.first, segment.rough))
        return found


def surveyed(writer: Writer, viewed: Viewed, first: int, rough: Sequence[int] = ()) -> Segment:
    """The ``Segment`` of a finished writer's file."""
    job, statistics, has_ended = writer.job, writer.statistics, writer.error is None
    if has_ended:
        held = Gops(tuple(statistics.keys), statistics.num_frames)
    else:
        held = survey(job.path, job.timeline, is_finished=False)
    return segment_of(job.path, viewed, first, held, rough, has_ended=has_ended)
