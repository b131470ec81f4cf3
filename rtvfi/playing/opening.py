"""Makes the viewing of a file: opens sources ahead of time, and tracks pipelines that still run."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from rtvfi.core.errors import OpenError, RtvfiError
from rtvfi.core.files import is_address
from rtvfi.core.frame import DOLBY_OWN_COLOURS
from rtvfi.core.hardware.panels import panel_range
from rtvfi.core.rates import Grid, parse_rate
from rtvfi.engine.build import Place, Viewing, pipeline_for, view
from rtvfi.engine.look import fitting_rate
from rtvfi.playing.edl import streams_of
from rtvfi.playing.mpv.asking import web_options
from rtvfi.playing.mpv.pictures import chosen, films
from rtvfi.settings.playlist import is_list
from rtvfi.stream.decode.hardware import check_hwaccel
from rtvfi.stream.record.assemble import Viewed
from rtvfi.stream.write.job import Extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.core.frame import OutputFrame, StreamInfo, Stretch
    from rtvfi.core.options import SourceOptions
    from rtvfi.playing.mpv.player import Loaded, Mpv, Track
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.record.recorder import Recorder
    from rtvfi.stream.run.pipeline import Pipeline
    from rtvfi.stream.run.playhead import Playhead

_LONGEST_SECONDS: Final = 12 * 3600
"""A longer duration is treated as damage: the virtual file has an index entry for every picture."""
_LATEST_SECONDS: Final = 600
"""Latest start of the video after the audio; until then the first picture is repeated."""
_WEB: Final = ("http://", "https://")


class NothingToDo(RtvfiError):  # noqa: N818 - a reason, not a failure
    """The file is played without interpolation; the message says why."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A video track of the file that mpv plays, and how a source of ours reads it."""

    sources: tuple[str, ...]
    """A file, or URLs, one of which has the video."""
    number: int
    """mpv's number of the track."""
    stream_index: int | None = None
    """FFmpeg's index of the stream; None = FFmpeg's default."""
    stretches: tuple[Stretch, ...] = ()
    """Its shapes, if found while it played; empty = scan the file for them."""

    @classmethod
    def of(cls, track: Track, sources: tuple[str, ...]) -> Picture:
        """A track of mpv's ``track-list``."""
        return cls(sources, int(track["id"]), track.get("ff-index"))


def picture_of(player: Mpv, path: str) -> Picture:
    """The video track to interpolate.

    Args:
        player: has the file open, in its ``on_preloaded`` hook.
        path: mpv's name of the file.

    Raises:
        NothingToDo: the file is played without interpolation.
    """
    tracks = films(player.track_list)
    if not tracks:
        raise NothingToDo("it holds no video: it plays without interpolation")
    of_web = next((track for track in tracks if track.get("default")), tracks[0])
    sources = _readable(player, path, tracks.index(of_web))
    # For web streams, mpv and FFmpeg number the streams differently.
    track = of_web if is_address(sources[0]) else chosen(player, sources[0], tracks)
    if track is None:
        raise NothingToDo("no video track is wanted: it plays without interpolation")
    # From mpv 0.42 on, programs of a transport stream are editions, and only one is listed.
    is_alone = len(tracks) == 1 and len(player.edition_list or ()) < 2
    return Picture(sources, int(track["id"])) if is_alone else Picture.of(track, sources)


def _readable(player: Mpv, path: str, number: int) -> tuple[str, ...]:
    """The files or URLs that a source of ours can read in addition to mpv.

    Args:
        player: has the file open.
        path: mpv's name of the file.
        number: index of the shown track among its tracks, in case a web page offers several.

    Raises:
        NothingToDo: only mpv can read it.
    """
    # For a web page, mpv's yt-dlp script puts the address of the media here.
    opened = os.fsdecode(player.raw.stream_open_filename or path)
    scheme = opened.partition("://")[0] if is_address(opened) else ""
    if player.current_demuxer == "timeline":
        streams = streams_of(os.fsencode(opened)) if path != opened else ()
        if not streams or not all(stream.address.startswith(_WEB) for stream in streams):
            raise NothingToDo("it consists of several files: it plays without interpolation")
        films_of = [stream for stream in streams if "video" in stream.kinds]
        if number < len(films_of):
            streams = (films_of[number],)
        return _web(player, tuple(stream.address for stream in streams))
    if opened.startswith(_WEB):
        return _web(player, (opened,))
    if opened in ("-", "/dev/stdin") or scheme in ("fd", "fdclose"):
        raise NothingToDo("standard input can be read only once: it plays without interpolation")
    if scheme == "file":
        opened = unquote(urlsplit(opened).path)
    elif scheme:
        raise NothingToDo(f"only mpv can read {scheme}:// here: it plays without interpolation")
    if not Path(opened).is_file():
        raise NothingToDo(f'"{opened}" is not a plain file: it plays without interpolation')
    return (opened,)


def _web(player: Mpv, streams: tuple[str, ...]) -> tuple[str, ...]:
    if not player.seekable:
        raise NothingToDo("its server allows no seeking: it plays without interpolation")
    return streams


class Opener:
    """Opens files for one player; any thread may use it.

    Args:
        options: how files are opened and shown.
        playhead: the player's position.
        recorder: receives every frame; None = nothing is recorded.
        keeps_shapes: the player accepts a track of several files, one per shape.
    """

    def __init__(
        self,
        options: PlayOptions,
        playhead: Playhead,
        recorder: Recorder | None = None,
        *,
        keeps_shapes: bool = False,
    ) -> None:
        self.options = self._options = options
        self._recorder = recorder
        self.keeps_shapes = keeps_shapes and recorder is None  # a recording has one shape
        """Pictures keep their shapes."""
        self._playhead = playhead
        self._lock = threading.Lock()
        """The hook and the worker may open files at the same time."""
        self._prefetched: tuple[str, Pipeline] | None = None
        self._pipelines: list[Pipeline] = []
        """Pipelines whose threads may still run."""
        self.display_rate: Callable[[Loaded], float | None] = lambda player: player.display_fps
        """Returns the refresh rate of a player's display in Hz; None = unknown."""

    def record(self, recorder: Recorder) -> None:
        """Give every frame of what is opened from now on to a recorder."""
        self._recorder, self.keeps_shapes = recorder, False

    def prefetch(self, files: tuple[str, ...]) -> None:
        """Open the first file while mpv starts; if it is the only one and bad, no window is opened.

        Raises:
            SourceError: the only file holds no picture.
            DeviceError: the named decoder cannot be used.
        """
        check_hwaccel(self._options.source)
        first = files[0]
        if is_address(first) or is_list(first) or not Path(first).is_file():
            return
        pipeline = self._new_pipeline(first, self._source)
        try:
            pipeline.open()
        except OpenError:
            pipeline.close()
            if len(files) == 1:
                raise
            return  # the error is reported when mpv reaches the file
        except RtvfiError:
            pipeline.close()
            raise
        self._prefetched = (first, pipeline)

    def view(self, picture: Picture, rate: str, player: Loaded) -> Viewing:
        """Make the viewing of a film: on the grid of ``rate``, on the clock of the player.

        Args:
            picture: the track; its first source is opened.
            rate: a value of ``--fps``.
            player: the mpv that has the film loaded.

        Raises:
            NothingToDo: the film has that rate already, or its length is unknown.
            SourceError: the film cannot be decoded.
        """
        path = picture.sources[0]
        pipeline = self._take(picture, web_options(player) if is_address(path) else ())
        try:
            info = pipeline.open()
            if info.dolby_profile == DOLBY_OWN_COLOURS:
                raise NothingToDo(
                    "only mpv can show its Dolby Vision (profile 5): it plays without interpolation"
                )
            target = self.rate_of(info, rate, self.display_rate(player))
            place = _place(info, target, player)
            if self._recorder is not None:
                place = replace(place, tap=self._tap(path, info, place, _extras(player, place)))
            return view(pipeline, path, info, self._options.stream, place, self._playhead)
        except BaseException:
            pipeline.stop()
            raise

    def _tap(
        self, path: str, info: StreamInfo, place: Place, extras: tuple[Extra, ...]
    ) -> Callable[[OutputFrame, bool], None]:
        assert self._recorder is not None
        viewed = Viewed(
            source=path,
            info=info,
            grid=Grid(info.start, 1 / place.target_rate),
            zero=place.origin,
            has_model=self._options.model != "copy",
            has_cadence=self._options.stream.is_by_cadence,
            extras=extras,
        )
        return self._recorder.recording(viewed).tap

    def rate_of(self, info: StreamInfo, rate: str, display_rate: float | None) -> Fraction:
        """The output rate that ``rate`` stands for."""
        options = self._options
        choice = parse_rate(rate)
        if choice.kind == "vrr" and not choice.value and (limits := panel_range()):
            choice = replace(choice, value=Fraction(limits[1]))
        return fitting_rate(choice, info, display_rate, options.model, options.stream)

    def abandon(self) -> None:
        """Stop everything without waiting, including files that are being opened."""
        for pipeline in self._pipelines:
            pipeline.stop()

    def stop(self, deadline: float) -> None:
        """Stop everything; wait no longer than until ``deadline`` (monotonic)."""
        self.abandon()
        for pipeline in self._pipelines:
            pipeline.close(max(0.0, deadline - time.monotonic()))

    def _take(self, picture: Picture, web: tuple[tuple[str, str], ...]) -> Pipeline:
        path, number = picture.sources[0], picture.stream_index
        with self._lock:
            prefetched, self._prefetched = self._prefetched, None
        if prefetched is not None:
            info = prefetched[1].open()
            is_it = number in (None, info.stream_index) and not picture.stretches
            if prefetched[0] == path and is_it and (self.keeps_shapes or not info.stretches):
                return prefetched[1]
            prefetched[1].stop()
        return self._new_pipeline(
            path, replace(self._source, stream_index=number, stretches=picture.stretches, web=web)
        )

    @property
    def _source(self) -> SourceOptions:
        return replace(self._options.source, keeps_shapes=self.keeps_shapes)

    def _new_pipeline(self, path: str, source: SourceOptions) -> Pipeline:
        options = self._options
        pipeline = pipeline_for(path, source, options.stream, self._playhead)
        with self._lock:
            self._pipelines = [*(p for p in self._pipelines if p.is_running), pipeline]
        return pipeline


def _place(info: StreamInfo, target: Fraction, player: Loaded) -> Place:
    """The position of the file on mpv's clock, with an output grid of ``target`` frames per
    second.
    """
    if target <= info.source_rate:
        raise NothingToDo(
            f"{float(info.source_rate):.5g} fps already: it plays without interpolation"
        )
    # The player's duration may be rounded down. A duration that is too long repeats the last frame;
    # one that is too short would lose it.
    length = info.duration or (player.duration and Fraction(player.duration) + 1)
    if not length:
        raise NothingToDo("length unknown: it plays without interpolation")
    if length > _LONGEST_SECONDS:
        raise NothingToDo("it claims to be longer than half a day: it plays without interpolation")
    start = player.demuxer_start_time or 0.0
    begin = Fraction(round(start * 1_000_000), 1_000_000)
    if info.start - begin > _LATEST_SECONDS:
        raise NothingToDo("its video begins long after its audio: it plays without interpolation")
    if player["rebase-start-time"]:
        return Place(target, begin, length)
    return Place(
        target, Fraction(0), length, begin=max(begin, Fraction(0))
    )  # the times of the file


def _extras(player: Loaded, place: Place) -> tuple[Extra, ...]:
    """The separate files whose audio and subtitles the player has loaded with the film."""
    found: dict[tuple[str, str], Extra] = {}
    for track in player.track_list:
        if track.get("external") and track["type"] in ("audio", "sub"):
            extra = Extra(
                path=track["external-filename"],
                kind="audio" if track["type"] == "audio" else "subtitle",
                zero=place.origin,
                language=track.get("lang") or "",
            )
            found.setdefault((extra.path, extra.kind), extra)
    return tuple(found.values())
