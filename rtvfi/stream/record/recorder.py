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
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypedDict

from rtvfi.core.errors import EncodeError, OpenError, RtvfiError, UsageError
from rtvfi.core.program import command_line
from rtvfi.stream.record.assemble import job_of
from rtvfi.stream.record.complete import Completion, held, surveyed
from rtvfi.stream.record.notes import Notes
from rtvfi.stream.write.beside.companion import say_differences
from rtvfi.stream.write.encoders.codecs import LIKELY, check_quality, find_codec
from rtvfi.stream.write.journal import journal_folder
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT, check_target, container_format
from rtvfi.stream.write.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rtvfi.core.frame import OutputFrame
    from rtvfi.core.options import EncodeOptions
    from rtvfi.stream.record.assemble import Recorded, Viewed
    from rtvfi.stream.record.complete import Filler
    from rtvfi.stream.record.islands import Segment

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 5.0
"""A writer that takes no frame for this long hangs."""
_NOTICED_SECONDS: Final = 0.25
"""A longer wait for the writer is reported, because it delays playback."""


@dataclass(slots=True)
class _Segment:
    writer: Writer
    epoch: int
    first: int
    next: int
    rough: list[int] = field(default_factory=list)
    num_noted: int = 0
    """Of them in the notes."""


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
        check(path, sources, encode, force=force)
        return cls(path, encode, say, filler)

    def recording(self, viewed: Viewed) -> Recording:
        """Make the tap of a pipeline that plays this stream."""
        with suppress(OpenError):  # reported when the file is written
            say_differences(viewed.source, CRASH_SAFE_FORMAT)
        recording = Recording(self, viewed, self._stream_number(viewed))
        self._recordings.append(recording)
        return recording

    def _begin_at(self, number: int) -> None:
        """Number the pieces from ``number`` on; the first is the file the user named."""
        self._numbers = itertools.count(number)

    def _stream_number(self, _viewed: Viewed) -> int:
        """The number of another stream in the notes."""
        return len(self._recordings)

    def _is_noted(self, recording: Recording) -> bool:
        """Whether the notes have the recording's stream."""
        return recording.is_begun

    def next_path(self, recording: Recording, first: int) -> Path:
        """Path of the next segment, which begins at grid index ``first``; the first segment is the
        file the user named.
        """
        with self._lock:
            notes, number = self._begun_notes(), next(self._numbers)
            path = self.path if number == 1 else self._folder / f"segment-{number:04}.mkv"
            if not self._is_noted(recording):
                notes.stream(recording.number, recording.viewed)
            notes.begin(path, recording.number, first)
        return path

    def _begun_notes(self) -> Notes:
        """The notes; they and their folder are created with the first segment."""
        self._folder.mkdir(exist_ok=True)
        if self._notes is None:
            self._notes = Notes(self._folder)
        return self._notes

    def rough(self, segment: _Segment) -> None:
        """Note stand-ins once others follow, for the case of a kill."""
        numbers = segment.rough[segment.num_noted :]
        segment.num_noted += len(numbers)
        with self._lock:
            if self._notes is not None:
                self._notes.rough(segment.writer.job.path, numbers)

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
                if self._notes is not None:
                    self._notes.stopped(error.message)
        if is_first:
            self._say(f"recording stopped: {error.message}")

    def whole(self, writer: Writer) -> None:
        """Note that the file of a piece was closed well (on the writer's thread)."""
        with self._lock:
            if self._notes is not None:
                self._notes.whole(writer.job.path, held(writer))

    def close(self) -> Summary:
        """End all files and join them; the pipelines must have stopped.

        Returns:
            What was recorded, for the report.
        """
        files: list[Recorded] = []
        try:
            recorded = [(each.viewed, each.close()) for each in self._recordings]
            filler = self._filler if self.error is None else None
            completion = Completion(self.path, self.encode, self._say, filler)
            files.extend(completion.files(recorded))
        except (RtvfiError, OSError) as error:
            if isinstance(error, RtvfiError):
                self.stop(error)
            else:
                message = f"the recording cannot be put together: {error.strerror}"
                self.stop(EncodeError(message))
            say_kept(self.path)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
        finally:
            if self._notes is not None:
                self._notes.close()
        say_files(files)
        return {"files": files, "error": self.error.message if self.error else None}


def say_files(files: list[Recorded]) -> None:
    """Log what was recorded."""
    if not files:
        log.warning("nothing was recorded")
    for file in files:
        log.info('recorded "%s": %d frames', file["path"], file["frames"])


def say_kept(path: Path) -> None:
    """Log how to join the pieces of a recording that could not be joined."""
    log.warning("the pieces are kept: %s", command_line(f'join "{path}"'))


def check(path: Path, sources: tuple[str, ...], encode: EncodeOptions, *, force: bool) -> None:
    """Check that a recording can be made; for arguments and errors see ``Recorder.open``."""
    folder = journal_folder(path)
    if folder.exists() and not force:
        raise UsageError(
            f'"{folder}" holds pieces of a recording that was killed',
            command_line(f'join "{path}" puts them together, --force overwrites them'),
        )
    check_target(path, sources, force=force)
    if container_format(path) != CRASH_SAFE_FORMAT:
        raise UsageError(
            f'"{path.name}" cannot be recorded: an interruption would lose everything',
            f'use "{path.stem}.mkv"; {command_line("render")} writes other files',
        )
    check_quality(find_codec(LIKELY if encode.encoder == "auto" else encode.encoder), encode.crf)
    if force:
        shutil.rmtree(folder, ignore_errors=True)


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
            elif len(segment.rough) > segment.num_noted:
                self._recorder.rough(segment)

    def _begin(self, frame: OutputFrame) -> _Segment:
        """Begin a segment after a seek; the previous one is finished by its own thread."""
        recorder, first = self._recorder, frame.index
        if self._segments:
            self._segments[-1].writer.begin_finish()
            recorder.ended(self._segments[-1])
        path = recorder.next_path(self, first)
        writer = Writer(job_of(path, self.viewed, first, recorder.encode), recorder.whole)
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

    def end(self) -> None:
        """End all segments; an error ends the recording."""
        for segment in self._segments:
            try:
                segment.writer.finish()
                self._recorder.ended(segment)
            except RtvfiError as error:
                self._recorder.stop(error)

    def close(self) -> list[Segment]:
        """End all segments; returns what each one holds."""
        self.end()
        return [
            surveyed(segment.writer, self.viewed, segment.first, segment.rough)
            for segment in self._segments
        ]
