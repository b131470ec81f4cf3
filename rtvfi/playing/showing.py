"""Controls what one mpv shows: the original, or our viewing of it.

Three threads run this code. ``attach`` runs on the thread of mpv's hook, which may wait; methods
under *jobs* run on the worker; everything else runs on python-mpv's event thread and must return at
once. Every change of what is shown is made under one lock.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import OpenError
from rtvfi.core.files import is_address
from rtvfi.core.frame import Stretch
from rtvfi.engine.model_host import is_quick, preload
from rtvfi.playing.current import Current
from rtvfi.playing.live_model import LiveModel
from rtvfi.playing.mpv.pictures import films
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.opening import NothingToDo, Picture, picture_of
from rtvfi.playing.remarks import Remarks
from rtvfi.playing.track import Tracks
from rtvfi.playing.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtvfi.core.errors import RtvfiError
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.mpv.player import Mpv
    from rtvfi.playing.mpv.screen import Screen
    from rtvfi.playing.opening import Opener
    from rtvfi.playing.track import Door
    from rtvfi.playing.wanted import Choice

log = logging.getLogger(__name__)


@contextmanager
def _closed_on_failure(viewing: Viewing) -> Iterator[None]:
    """Context manager that closes a viewing if passing it to mpv fails."""
    try:
        yield
    except BaseException:
        viewing.close()
        raise


_APART: Final = 0.5
"""Seconds that the sound may be ahead of the picture when we leave our track."""
_FOLLOW_SECONDS: Final = 3.0
"""Seconds before the end of our track at which the file is checked for growth."""


class Showing:
    """Controls the video of one player.

    Args:
        player: an mpv, here or in another process.
        door: where it opens our tracks.
        opener: opens files for this player, with options that were checked.
        screen: where things are said.
        choice: what is wanted.
    """

    def __init__(
        self, player: Mpv, door: Door, opener: Opener, screen: Screen, choice: Choice
    ) -> None:
        self._mpv = player
        self._options = options = opener.options
        self._opener = opener
        self._screen = screen
        self._choice = choice
        self._lock = threading.RLock()
        """Held during every change of what is shown. Never load or open anything while holding
        it.
        """
        self._tracks = Tracks(player, door)
        self._current = Current(self._lock, self._is_over)
        self._remarks = Remarks(screen.say)
        self.model = LiveModel(options, choice, self._remarks, self._proven)
        self._worker = Worker("rtvfi-worker", screen.complain, PlayerGone)
        if is_quick(choice.now.model):
            self._worker.do(preload)
        self._picture: Picture
        """The track that the viewing is made from, while there is one."""
        self._size = 0
        """Size of the file in bytes when its track was made; 0 for a URL."""
        self._joined: Viewing | None = None
        """The viewing whose model was requested."""
        self._seen: RtvfiError | None = None
        """The newest failure of a pipeline that was handled."""
        self._reshaped: Viewing | None = None
        """The newest viewing with an unexpected shape."""
        self.finished: Callable[[Viewing], None] = lambda _viewing: None
        """Called with a viewing that is not used any more."""

    @property
    def viewing(self) -> Viewing | None:
        """Our viewing of the current file; None while it plays without interpolation."""
        return self._current.viewing

    @property
    def shown(self) -> Viewing | None:
        """The viewing on screen; None while the original is shown."""
        return self.viewing if self._choice.now.is_on else None

    def _is_over(self, viewing: Viewing) -> None:
        self.finished(viewing)
        self._tracks.withdraw(viewing)

    @property
    def original(self) -> int | None:
        """mpv's number of the original track that ours is made from; None without ours."""
        return self._tracks.original

    # ---- files ----

    def attach(self, path: str, *, is_playing: bool = False) -> None:
        """Add our track to a file that is about to play (in mpv's hook; mpv waits).

        Args:
            path: as mpv names the file.
            is_playing: it plays already, and mpv does not wait.

        Raises:
            NothingToDo: the file is played without interpolation.
            RtvfiError: the file cannot be decoded.
        """
        number = self._current.begin()
        with self._lock:
            self._tracks.begin()
        picture = picture_of(self._mpv, path)
        sources = picture.sources
        if is_address(sources[0]) and self._options.record is None:
            # It already plays while a second connection is opened.
            self._worker.do(partial(self._join_late, picture, number))
            return
        if len(sources) > 1:
            raise NothingToDo("its video and audio are separate: it is played but not recorded")
        viewing = self._open(picture)
        with _closed_on_failure(viewing):
            if self._options.record is not None or is_quick(self._choice.now.model):
                # Nothing is shown yet. Waiting for the network gives a recording without stand-ins.
                self.model.use(viewing)
                self._joined = viewing
            show = partial(self._show, viewing, picture, is_playing=is_playing)
            if not self._current.put(number, viewing, show):
                viewing.close()

    def _open(self, picture: Picture) -> Viewing:
        """Open the first source of a picture."""
        viewing = self._opener.view(picture, self._choice.now.rate, self._mpv)
        viewing.stream.on_failure = self._on_failure
        self.retime(viewing)
        return viewing

    def _show(self, viewing: Viewing, picture: Picture, *, is_playing: bool = False) -> None:
        """Give mpv the track of a viewing (the lock is held)."""
        self._picture = picture
        self._size = _size_of(viewing.path)
        before = self._tracks.offer(viewing, picture.number)
        self._tracks.choose(ours=self._choice.now.is_on, is_playing=is_playing)
        self._tracks.remove(before)

    def end_file(self) -> None:
        """The file has ended."""
        self._current.end()
        self._remarks.live("")

    def selected(self) -> None:
        """Another video track was selected, by us or by the user."""
        with self._lock:
            track = self._tracks.selected()
        if track is not None:
            self._worker.do(partial(self._change_picture, track, self._current.number))

    def sought(self) -> None:
        """mpv has begun a seek: end a blocked read of our track."""
        viewing, target = self.viewing, self._mpv.time_pos
        if viewing is not None and target is not None:
            viewing.stream.kick(target)
        with self._lock:
            self._tracks.sought()

    def settled(self) -> None:
        """A picture is shown: a film's first, or that of a seek or switch."""
        with self._lock:
            self._tracks.settled()

    def join(self) -> None:
        """Load the model of a file, once its first picture is shown."""
        viewing = self.viewing
        if viewing is not None and viewing is not self._joined and self._choice.now.model != "copy":
            self._joined = viewing
            self._worker.do(partial(self._join_in, viewing))

    def look(self, now: float) -> None:
        """Show messages about what is in use and whether it keeps up; called periodically."""
        viewing = self.shown
        if viewing is None:
            self._remarks.live("")
            return
        self._watch_growth(viewing)
        if viewing.pipeline.strange and viewing is not self._reshaped:
            self._reshaped = viewing
            self._worker.do(partial(self._reshape, viewing))
        statistics = viewing.pipeline.statistics()
        self.model.watch(viewing, statistics, now)
        failure = statistics.failure
        if failure is not None and failure is not self._seen:
            self._seen = self.model.failure = failure
            self._worker.do(partial(self._recover, viewing, failure))

    def _watch_growth(self, viewing: Viewing) -> None:
        """Make a longer track for a file that is still growing, shortly before ours ends."""
        position = self._mpv.time_pos
        if position is None or position < viewing.end - _FOLLOW_SECONDS:
            return
        size, before = _size_of(viewing.path), self._size
        if size > before:
            self._size = size
            self._worker.do(partial(self._follow, viewing))

    def stop(self, deadline: float) -> None:
        """Stop the worker; wait no longer than until ``deadline`` (monotonic)."""
        self.model.stop(deadline)
        self._worker.stop(deadline)

    def _on_failure(self, error: RtvfiError) -> None:
        """Show the original, because our decoder or pipeline failed (mpv's demuxer thread)."""
        self._worker.do(partial(self._screen.complain, error))
        self._worker.do(self._fall_back)

    # ---- what is wanted ----

    @property
    def is_on_screen(self) -> bool:
        """Whether mpv shows our track, whoever selected it."""
        return self._tracks.is_ours_selected

    def switch(self, *, is_seeking: bool) -> None:
        """Show our track or the original, by the user's choice."""
        with self._lock:
            self._tracks.choose(ours=self._choice.now.is_on)
        if is_seeking:
            # mpv may finish the seek on a key frame of the track it switches to.
            self.show_now()

    def stand_in(self, *, film: bool) -> None:
        """Show the original while our pictures are overdue (``film``), or ours again.

        Sound has gone on without pictures. Both continue at the last picture; otherwise mpv would
        show the missed pictures without sound.
        """
        position, sound = self._mpv.time_pos, self._mpv.audio_pts
        with self._lock:
            self._tracks.choose(ours=self._choice.now.is_on and not film)
        if film and position is not None and sound is not None and sound > position + _APART:
            self._mpv.command("seek", position, "absolute+exact")

    def show_now(self) -> None:
        """Discard what mpv has buffered, which was made with the old style, by a seek to now."""
        self._mpv.command("seek", 0, "relative+exact")

    def retime(self, viewing: Viewing) -> None:
        """Apply the chosen style."""
        viewing.pipeline.retime(self._choice.now.retiming(self._options.stream.passes))

    def change_model(self) -> None:
        """Apply the chosen model."""
        viewing = self.viewing
        if viewing is not None:
            self._worker.do(partial(self._join_in, viewing, at_once=True))

    def change_rate(self) -> None:
        """Apply the chosen rate."""
        self._worker.do(self._change_grid)

    def rest(self, *, is_hidden: bool) -> None:
        """Stop or resume interpolation while the window is hidden; a recording is not affected."""
        if self._options.record is None:
            self._worker.do(lambda: self.model.rest(self.viewing, is_hidden=is_hidden))

    # ---- jobs ----

    def _proven(self, viewing: Viewing) -> None:
        """Load the model, because the GPU was tested (called on the test's thread)."""
        self._worker.do(partial(self._join_in, viewing))

    def _join_in(self, viewing: Viewing, *, at_once: bool = False) -> None:
        """Give the chosen model to a viewing; until then it shows source frames."""
        if not at_once and not is_quick(self._choice.now.model):
            # Importing torch blocks the interpreter for moments; wait until enough frames are
            # buffered to cover them.
            viewing.pipeline.wait_until_full(1.0)
        if viewing is not self.viewing:
            return
        self.model.use(viewing)
        if at_once:
            self.show_now()

    def _recover(self, viewing: Viewing, failure: RtvfiError) -> None:
        if viewing is self.viewing:
            self.model.recover(viewing, failure)

    def _fall_back(self) -> None:
        with self._lock:
            self._tracks.choose(ours=False)

    def _change_grid(self) -> None:
        """Change the rate: make a new track beside the old one, then switch to it."""
        number, old = self._current.number, self.viewing
        if old is not None:
            picture = replace(self._picture, sources=(old.path,))
            self._put_in(self._open(picture), picture, number)

    def _follow(self, old: Viewing) -> None:
        """Make a longer track for a file that has grown, then switch to it.

        At the very end of a file that grows as fast as it is watched, a new track would last only
        for moments, so mpv's own continues there.
        """
        number, position = self._current.number, self._mpv.time_pos
        if old is not self.viewing or position is None:
            return
        picture = replace(self._picture, sources=(old.path,))
        new = self._open(picture)
        if new.end < position + _FOLLOW_SECONDS:
            new.close()
            self._screen.say(
                "this is its end and it is still growing: it plays without interpolation"
            )
            self._fall_back()
        else:
            self._put_in(new, picture, number)

    def _reshape(self, old: Viewing) -> None:
        """Make a new track after an unexpected change of shape, then switch to it.

        Pictures are decoded ahead of time; those shown before the switch have black bars.
        """
        number = self._current.number
        if old is not self.viewing:
            return
        known = old.info.stretches or (Stretch(old.info.start, old.info.shape),)
        known = tuple(sorted({*known, *old.pipeline.strange}, key=lambda stretch: stretch.start))
        picture = replace(self._picture, sources=(old.path,), stretches=known)
        self._put_in(self._open(picture), picture, number)

    def _change_picture(self, track: int, number: int) -> None:
        """Make our track from another video track, which the user selected."""
        viewing = self.viewing
        found = next((t for t in films(self._mpv.track_list) if t["id"] == track), None)
        if viewing is None or found is None or number != self._current.number:
            return
        if track == self._picture.number:  # mpv reported the same switch twice
            return
        picture = Picture.of(found, (viewing.path,))
        self._put_in(self._open(picture), picture, number)

    def _join_late(self, picture: Picture, number: int) -> None:
        """Add our track to file ``number``, which plays already."""
        for source in picture.sources:
            one = replace(picture, sources=(source,))
            try:
                self._put_in(self._open(one), one, number)
            except NothingToDo as reason:
                self._screen.say(reason.message)
            except OpenError as error:  # audio only, or not readable by us
                log.debug("%s", error.message)
                continue
            return
        self._screen.say("its server serves it only to mpv: it plays without interpolation")

    def _put_in(self, viewing: Viewing, picture: Picture, number: int) -> None:
        """Show this viewing of file ``number``, if that still plays."""
        with _closed_on_failure(viewing):
            if number == self._current.number:  # else loading a model would be useless
                self.model.use(viewing)
            show = partial(self._show, viewing, picture, is_playing=True)
            if self._current.put(number, viewing, show):
                self._joined = viewing
            else:
                viewing.close()


def _size_of(path: str) -> int:
    """Size of a file in bytes; 0 if it is not a local file."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return 0
