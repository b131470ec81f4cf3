"""What one mpv shows: the file as it is, or our viewing of it, made the way that is wanted.

Methods run on python-mpv's event thread; those called *jobs* run on the worker, because they take
time.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from rtvfi.core.errors import OpenError, OutOfMemory
from rtvfi.core.files import is_address
from rtvfi.engine.model_host import ModelHost
from rtvfi.playing.mpv.libmpv import PlayerGone
from rtvfi.playing.opening import NothingToDo, readable
from rtvfi.playing.remarks import Remarks
from rtvfi.playing.track import Tracks
from rtvfi.playing.wanted import Wanted
from rtvfi.playing.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rtvfi.core.errors import RtvfiError
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.mpv.window import Screen
    from rtvfi.playing.opening import Opener
    from rtvfi.settings.config import PlayOptions
    from rtvfi.stream.run.interpolate import Interpolation

log = logging.getLogger(__name__)


@contextmanager
def _closed_on_failure(viewing: Viewing) -> Iterator[None]:
    """Nobody reads a viewing that mpv was not given: its threads end."""
    try:
        yield
    except BaseException:
        viewing.close()
        raise


class Showing:
    """The picture of one player.

    Args:
        player: a python-mpv ``MPV``.
        options: checked already.
        opener: opens files for this player.
        screen: where things are said.
        finished: told of a viewing that is over.
    """

    def __init__(
        self,
        player: Any,
        options: PlayOptions,
        opener: Opener,
        screen: Screen,
        finished: Callable[[Viewing], None],
    ) -> None:
        self._mpv = player
        self._options = options
        self._opener = opener
        self._screen = screen
        self._finished = finished
        self._tracks = Tracks(player)
        self._worker = Worker(screen.complain, PlayerGone)
        self._remarks = Remarks(screen.say)
        self.wanted = Wanted.of(options.model, options.fps, options.stream)
        self.models = ModelHost(options.device, options.stream, is_live=True)
        self.viewing: Viewing | None = None
        """Ours of the file that plays; None while it plays as it is."""
        self._num_files = 0
        """Files begun and ended: a job that took long looks whether its own still plays."""
        self._joined: Viewing | None = None
        """The viewing whose model was asked for."""
        self._executor: Interpolation | None = None
        self._fitted: Viewing | None = None
        """The viewing whose size the executor is for."""
        self.failure: RtvfiError | None = None
        """The newest of the model."""
        self._seen: RtvfiError | None = None
        """The newest of a pipeline that was dealt with."""
        self._is_resting = False

    @property
    def shown(self) -> Viewing | None:
        """The viewing on screen; None while the original is."""
        return self.viewing if self.wanted.is_on else None

    # ---- files ----

    def attach(self, path: str) -> None:
        """Put our track beside a file that is about to play.

        Raises:
            NothingToDo: it plays as it is.
            OpenError: it has no picture.
            RtvfiError: its pictures cannot be had.
        """
        self.viewing, self._num_files = None, self._num_files + 1
        sources = readable(self._mpv, path, is_wanted=self._tracks.begin(path))
        if is_address(sources[0]) and self._options.record is None:
            # It plays while a second connection is made.
            self._worker.do(partial(self._join_late, sources, self._num_files))
            return
        if len(sources) > 1:
            raise NothingToDo("its picture and sound come apart: it is played and not recorded")
        viewing = self._open(sources[0])
        with _closed_on_failure(viewing):
            if self._options.record is not None:
                # Nothing is shown yet: the wait for the model is worth a file without stand-ins.
                self._use_model(viewing)
                self._joined = viewing
            self._tracks.offer(viewing)
        self.viewing = viewing
        self._tracks.choose(ours=self.wanted.is_on, is_playing=False)

    def _open(self, source: str) -> Viewing:
        viewing = self._opener.view(source, self.wanted.rate, self._mpv)
        viewing.stream.on_failure = self._on_failure
        self.retime(viewing)
        return viewing

    def end_file(self) -> None:
        """The file is over."""
        self._num_files += 1
        self._let_go()

    def _let_go(self) -> None:
        viewing, self.viewing = self.viewing, None
        if viewing is not None:
            self._finished(viewing)

    def settled(self) -> None:
        """A picture is there: a film's first, or that of a seek or switch."""
        self._tracks.settled()

    def join(self) -> None:
        """A file's first picture is there: now its model may be loaded."""
        viewing = self.viewing
        if viewing is not None and viewing is not self._joined and self.wanted.model != "copy":
            self._joined = viewing
            self._worker.do(partial(self._join_in, viewing))

    def look(self, now: float) -> None:
        """Say whether the model keeps up; called now and then."""
        viewing = self.shown
        if viewing is None:
            return
        statistics = viewing.pipeline.statistics()
        self._remarks.look(statistics, self.wanted.model, now)
        failure = statistics.failure
        if failure is not None and failure is not self._seen:
            self._seen = self.failure = failure
            self._worker.do(partial(self._recover, viewing, failure))

    def stop(self, deadline: float) -> None:
        """End the worker; wait until ``deadline`` (monotonic) at most."""
        self._worker.stop(deadline)

    def _on_failure(self, error: RtvfiError) -> None:
        """Our decoder or pipeline gave up (mpv's reading thread): mpv goes on with the original."""
        self._worker.do(partial(self._screen.complain, error))
        self._worker.do(partial(self._tracks.choose, ours=False))

    # ---- what is wanted ----

    def switch(self, *, is_on: bool, is_seeking: bool) -> None:
        """Show our track or the original."""
        self.wanted = replace(self.wanted, is_on=is_on)
        self._tracks.choose(ours=is_on)
        if is_seeking:
            # mpv may finish the seek on a key frame of the track it switches to.
            self.show_now()

    def show_now(self) -> None:
        """What mpv has in store was made the old way: show this moment anew."""
        self._mpv.command("seek", 0, "relative+exact")

    def retime(self, viewing: Viewing) -> None:
        """Let the wanted style take hold."""
        viewing.pipeline.retime(self.wanted.retiming(self._options.stream.passes))

    def change_model(self) -> None:
        """Let the wanted model take hold."""
        if self.viewing is not None:
            self._worker.do(partial(self._join_in, self.viewing, at_once=True))

    def change_rate(self) -> None:
        """Let the wanted rate take hold."""
        self._worker.do(self._change_grid)

    def rest(self, *, is_hidden: bool) -> None:
        """Nobody sees the picture: make none. What is recorded is made all the same."""
        if self._options.record is None:
            self._is_resting = is_hidden
            self._worker.do(self._let_work)

    # ---- jobs ----

    def _join_in(self, viewing: Viewing, *, at_once: bool = False) -> None:
        """Hand the wanted model to a viewing; until then it shows source frames."""
        if not at_once:
            # Importing torch keeps the interpreter busy for moments on end; a full stock of frames
            # covers them.
            viewing.pipeline.wait_until_full(1.0)
        if viewing is not self.viewing:
            return
        self._use_model(viewing)
        if at_once:
            self.show_now()

    def _use_model(self, viewing: Viewing) -> None:
        wanted = self.wanted
        if wanted.style not in wanted.styles:
            self._remarks.once(
                f"{wanted.style} needs a model that looks at three frames: plain with "
                f"{wanted.model}"
            )
        is_copy = wanted.model == "copy"
        self._executor = None if is_copy else self._load(wanted.model, viewing)
        self._fitted = viewing
        viewing.pipeline.use(None if self._is_resting else self._executor)
        if self._executor is not None:
            self.models.add_variants(self._executor, wanted.model, viewing)

    def _load(self, model: str, viewing: Viewing) -> Interpolation:
        """The model at the largest size that the device's memory holds."""
        while True:
            try:
                return self.models.executor(model, viewing)
            except OutOfMemory as error:
                self.failure = error
                self._shrink(viewing)

    def _shrink(self, viewing: Viewing) -> None:
        """Estimate motion at a smaller size from now on.

        Raises:
            OutOfMemory: it is as small as it gets.
        """
        self._executor = None
        viewing.pipeline.use(None)
        if not self.models.shrink(viewing.info):
            self.failure = OutOfMemory(
                "there is not enough memory for the model", "try a lighter --model"
            )
            raise self.failure
        scale = self.models.flow_scale(viewing.info)
        self._screen.say(f"memory is full: motion is looked for at scale {scale:g}")

    def _recover(self, viewing: Viewing, failure: RtvfiError) -> None:
        """The model was given up: with less memory it may go on, else it is said."""
        if viewing is not self.viewing:
            return
        if not isinstance(failure, OutOfMemory):
            raise failure
        self._shrink(viewing)
        self._use_model(viewing)

    def _let_work(self) -> None:
        """The executor goes or stays as ``rest`` says."""
        viewing = self.viewing
        if viewing is not None and viewing is self._fitted:
            viewing.pipeline.use(None if self._is_resting else self._executor)

    def _change_grid(self) -> None:
        """Another rate is another track: build it beside the old one, then swap."""
        old, number = self.viewing, self._num_files
        if old is not None:
            self._put_in(self._open(old.path), number)

    def _join_late(self, sources: Sequence[str], number: int) -> None:
        """Give a track to the file that was begun as ``number`` and plays by now."""
        for source in sources:
            try:
                self._put_in(self._open(source), number)
            except NothingToDo as reason:
                self._screen.say(reason.message)
            except OpenError as error:  # the sound alone, or nothing for us
                log.debug("%s", error.message)
                continue
            return
        self._screen.say("its server gives it to mpv only: it plays as it is")

    def _put_in(self, viewing: Viewing, number: int) -> None:
        """Show this viewing of file ``number``, if that still plays."""
        with _closed_on_failure(viewing):
            if number == self._num_files:
                self._use_model(viewing)
            if number != self._num_files:
                viewing.close()
                return
            self._let_go()
            before = self._tracks.offer(viewing)
        self.viewing = self._joined = viewing
        self._tracks.choose(ours=self.wanted.is_on)
        self._tracks.remove(before)
