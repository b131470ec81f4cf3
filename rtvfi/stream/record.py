"""Recording what is played: every frame of the pipeline, whatever the display dropped.

A ``Recording`` is the tap of one pipeline. It hands frames to a writer; a seek ends the writer's
file and begins another. When the player is gone, the files of one viewing are joined in order of
time. The first one is the file asked for, so that the usual viewing, which begins at the beginning
and never seeks back, is complete the moment it ends, and survives a kill.

Playback goes on whatever happens here: a writer that fails or hangs ends the recording with a
message.
"""

from __future__ import annotations

import itertools
import logging
import shutil
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from rtvfi.errors import EncodeError, RtvfiError, UsageError
from rtvfi.stream.companion import Span
from rtvfi.stream.islands import Run, Segment, islands, ranges
from rtvfi.stream.join import Cut, join
from rtvfi.stream.mux import CRASH_SAFE_FORMAT, check_target, container_format
from rtvfi.stream.pieces import coding, opened, survey
from rtvfi.stream.writer import Job, Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction
    from pathlib import Path

    from rtvfi.frame import OutputFrame, StreamInfo
    from rtvfi.stream.extras import Extra
    from rtvfi.stream.options import EncodeOptions
    from rtvfi.stream.rates import Grid

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 5.0
"""A writer that takes no frame for so long has hung."""
_NOTICED_SECONDS: Final = 0.25
"""A wait that is said: playback is held up by it."""
_SHORT_SECONDS: Final = 1
"""Pieces shorter than this come from searching, and are left out beside a longer one."""


@dataclass(frozen=True, slots=True)
class Viewed:
    """One stream on one grid, as it is recorded."""

    source: str
    info: StreamInfo
    grid: Grid
    zero: Fraction
    """The player's time 0 on the source's clock."""
    has_model: bool
    """Whether frames of a model are wanted: without one nothing stands in for them."""
    extras: tuple[Extra, ...] = ()
    """Files beside the source that are heard or read with it."""


@dataclass(slots=True)
class _Segment:
    writer: Writer
    epoch: int
    first: int
    next: int
    rough: list[int] = field(default_factory=list)


class Recorder:
    """All recordings of one player, and the files they become.

    Args:
        path: the file asked for, a Matroska.
        sources: what will be played.
        encode: how; made live.
        say: shows a sentence to the user; may be called from any thread.
        force: overwrite what is there.

    Raises:
        UsageError: the file exists or is an input, or its name is not that of a Matroska file.
        EncodeError: its folder is not there.
    """

    def __init__(
        self,
        path: Path,
        sources: tuple[str, ...],
        encode: EncodeOptions,
        say: Callable[[str], None],
        *,
        force: bool = False,
    ) -> None:
        self._folder = path.with_name(path.name + ".rtvfi")
        if self._folder.exists() and not force:
            raise UsageError(
                f'"{self._folder}" holds pieces of a recording that was killed',
                "docs/render.md says how to join them; --force overwrites them",
            )
        check_target(path, sources, force=force)
        if container_format(path) != CRASH_SAFE_FORMAT:
            raise UsageError(
                f'"{path.name}" cannot be recorded: what is interrupted would be lost',
                f'use "{path.stem}.mkv"; rtvfi render writes other files',
            )
        self.path = path
        self.encode = replace(encode, is_live=True)
        self._say = say
        if force:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._numbers = itertools.count(1)
        self._recordings: list[Recording] = []
        self._taken: list[Path] = []
        self._lock = threading.Lock()
        self.error: RtvfiError | None = None
        """Why recording stopped before the player did."""

    def recording(self, viewed: Viewed) -> Recording:
        """A tap for a pipeline that plays this."""
        recording = Recording(self, viewed)
        self._recordings.append(recording)
        return recording

    def next_path(self) -> Path:
        """Where the next segment goes: the first one to the file asked for."""
        with self._lock:
            number = next(self._numbers)
            self._folder.mkdir(exist_ok=True)
        return self.path if number == 1 else self._folder / f"segment-{number:04}.mkv"

    def say(self, text: str) -> None:
        """Tell the user."""
        self._say(text)

    def stop(self, error: RtvfiError) -> None:
        """Record no more; the first reason counts."""
        with self._lock:
            is_first = self.error is None
            if is_first:
                self.error = error
        if is_first:
            self._say(f"recording stopped: {error.message}")

    def close(self) -> dict[str, Any]:
        """End all files and join them; the pipelines have stopped.

        Returns:
            What was recorded, for the report.
        """
        files: list[dict[str, Any]] = []
        try:
            for recording in self._recordings:
                found = recording.close()
                files += self._build(recording.viewed, islands(found))
        except RtvfiError as error:
            self.stop(error)
            log.warning('the pieces are kept in "%s"', self._folder)
        except OSError as error:
            self.stop(EncodeError(f"the recording cannot be put together: {error.strerror}"))
            log.warning('the pieces are kept in "%s"', self._folder)
        else:
            shutil.rmtree(self._folder, ignore_errors=True)
        if not files:
            log.warning("nothing was recorded")
        for file in files:
            log.info('recorded "%s": %d frames', file["path"], file["frames"])
        return {"files": files, "error": self.error.message if self.error else None}

    def _build(self, viewed: Viewed, found: list[list[Run]]) -> list[dict[str, Any]]:
        lengths = [island[-1].stop - island[0].start for island in found]
        enough = min([round(_SHORT_SECONDS / viewed.grid.step), *sorted(lengths)[-1:]])
        kept = [island for island in found if island[-1].stop - island[0].start >= enough]
        if len({island[0].segment.coding for island in kept}) > 1:
            log.warning("the encoder changed while recording: its pieces stay files of their own")
        # First all into the folder: the file asked for may be a piece of any of them.
        made = [(island, self._piece(viewed, island, n)) for n, island in enumerate(kept)]
        files = []
        for island, piece in made:
            path = self._final_path()
            piece.replace(path)
            files.append(_described(path, viewed, island))
        return files

    def _piece(self, viewed: Viewed, island: list[Run], number: int) -> Path:
        """One file of an island: its only segment, or its segments joined."""
        first, last = island[0].start, island[-1].stop
        segment = island[0].segment
        path = self._folder / f"{segment.path.stem}-{first}-{number}.joined.mkv"
        if len(island) == 1 and (first, last) == (segment.first, segment.stop):
            segment.path.replace(path)
            return path
        job = _job(path, viewed, first, self.encode)
        job = replace(job, span=replace(job.span, end=viewed.grid.pts(last)))
        cuts = [
            Cut(run.segment.path, run.start - run.segment.first, run.stop - run.segment.first)
            for run in island
        ]
        join(cuts, job, reorder=0)
        return path

    def _final_path(self) -> Path:
        """The file asked for, then its parts, leaving alone what is there."""
        if self.path not in self._taken:
            self._taken.append(self.path)
            return self.path
        for number in itertools.count(2):
            path = self.path.with_name(f"{self.path.stem}.part{number}{self.path.suffix}")
            if not path.exists():
                self._taken.append(path)
                return path
        raise AssertionError("unreachable")


class Recording:
    """The frames of one pipeline on their way into segments; ``tap`` runs on its compute thread."""

    def __init__(self, recorder: Recorder, viewed: Viewed) -> None:
        self.viewed = viewed
        self._recorder = recorder
        self._segments: list[_Segment] = []
        self._is_warned = False

    def tap(self, frame: OutputFrame, is_final: bool) -> None:
        """Record a frame; waits while the writer is behind, but never for long without a word."""
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
        """Another seek, another segment; the one before ends by itself."""
        if self._segments:
            self._segments[-1].writer.begin_finish()
        recorder = self._recorder
        writer = Writer(_job(recorder.next_path(), self.viewed, frame.index, recorder.encode))
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
        """End the files; what each one holds."""
        found = []
        for segment in self._segments:
            try:
                segment.writer.finish()
            except RtvfiError as error:
                self._recorder.stop(error)
            found.append(self._surveyed(segment))
        return found

    def _surveyed(self, segment: _Segment) -> Segment:
        path, first = segment.writer.job.path, segment.first
        statistics = segment.writer.statistics
        keys, count = tuple(statistics.keys), statistics.num_frames
        if segment.writer.error is not None:
            gops = survey(path, self.viewed.grid.step, is_finished=False)
            keys, count = gops.keys, gops.num_frames
        headers = ("", b"")
        if count:
            with opened(path) as file:
                headers = coding(file)
        return Segment(
            path=path,
            first=first,
            stop=first + count,
            keys=tuple(first + key for key in keys),
            rough=tuple(segment.rough),
            coding=headers,
        )


def _job(path: Path, viewed: Viewed, first: int, encode: EncodeOptions) -> Job:
    """A file that begins at grid index ``first``."""
    grid = viewed.grid
    is_beginning = grid.pts(first) - viewed.zero < grid.step or first == 0
    zero = min(viewed.zero, viewed.info.start) if is_beginning else grid.pts(first)
    return Job(
        path=path,
        container=CRASH_SAFE_FORMAT,
        info=viewed.info,
        grid=grid,
        first_index=first,
        span=Span(zero=zero, start=None if is_beginning else zero),
        encode=encode,
        source=viewed.source,
        extras=viewed.extras,
    )


def _described(path: Path, viewed: Viewed, island: list[Run]) -> dict[str, Any]:
    rough = [n for run in island for n in run.segment.rough if run.start <= n < run.stop]

    def seconds(index: int) -> float:
        return round(float(viewed.grid.pts(index) - viewed.zero), 3)

    return {
        "path": str(path),
        "source": viewed.source,
        "frames": island[-1].stop - island[0].start,
        "from": seconds(island[0].start),
        "to": seconds(island[-1].stop),
        "stand_ins": [[seconds(a), seconds(b)] for a, b in ranges(rough)],
    }
