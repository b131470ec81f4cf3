"""Carries out the requests of a program that controls the engine; one film is open at a time.

Requests run on the caller's thread, one after the other. Models are loaded on the worker, and the
result is reported as a note.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError
from rtvfi.engine.model_host import is_quick
from rtvfi.playing.live_model import LiveModel
from rtvfi.playing.mpv.screen import PlayerGone
from rtvfi.playing.opening import Opener, Picture
from rtvfi.playing.remarks import Remarks
from rtvfi.playing.wanted import Choice, Wanted
from rtvfi.playing.worker import Worker
from rtvfi.settings.keys import any_of
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.serve.web import PictureServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtvfi.core.files import Json
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.mpv.player import Track
    from rtvfi.settings.config import PlayOptions

Answer = dict[str, object]
"""The fields of the answer to a successful request."""

_LEAVE_SECONDS: Final = 0.5


@dataclass(slots=True)
class _PlayerFacts:
    """The player's properties of the film, in the form in which ``Opener.view`` reads mpv's."""

    duration: float | None = None
    demuxer_start_time: float | None = 0.0
    display_fps: float | None = None
    keeps_times: bool = False
    track_list: Sequence[Track] = ()

    def __getitem__(self, option: str) -> bool:
        return option == "rebase-start-time" and not self.keeps_times


class Session:
    """The film of one owner.

    Args:
        options: how films are shown.
        note: sends a message for the user; called by any thread.
    """

    def __init__(self, options: PlayOptions, note: Callable[[str], None]) -> None:
        self._options = options
        self._note = note
        self._playhead = Playhead()
        self._opener = Opener(options, self._playhead)
        self._choice = Choice(Wanted.of(options.model, options.fps, options.stream))
        self._remarks = Remarks(note)
        self._model = LiveModel(options, self._choice, self._remarks, self._proven)
        self._pictures = PictureServer()
        self._worker = Worker("rtvfi-worker", lambda error: note(error.message), PlayerGone)
        self._viewing: Viewing | None = None
        self._facts = _PlayerFacts()
        self._picture = Picture(("",), 1)
        self._requests: dict[str, Callable[..., Answer]] = {
            "open": self._open,
            "close": self._close_film,
            "seek": self._seek,
            "playhead": self._report,
            "speed": self._speed,
            "style": self._style,
            "model": self._take_model,
            "rate": self._rate,
            "statistics": self._statistics,
        }

    def do(self, what: object, words: Json) -> Answer:
        """Carry out a request; returns the fields of its answer.

        Raises:
            RtvfiError: the request failed and has changed nothing.
        """
        request = self._requests.get(what) if isinstance(what, str) else None
        if request is None:
            known = any_of(("hello", *self._requests, "bye"))
            raise UsageError(f'there is no request "{what}", expected {known}')
        try:
            return request(**words)
        except (TypeError, ValueError) as error:
            raise UsageError(f'"{what}" does not understand what it was given: {error}') from error

    def look(self, now: float) -> None:
        """Send notes about what has changed; called periodically."""
        viewing = self._viewing
        if viewing is not None:
            self._model.watch(viewing, viewing.pipeline.statistics(), now)

    def close(self) -> None:
        """Stop everything; wait only a moment for threads that hang."""
        deadline = time.monotonic() + _LEAVE_SECONDS
        self._close_film()
        self._opener.abandon()
        self._model.stop(deadline)
        self._worker.stop(deadline)
        self._opener.stop(deadline)
        self._pictures.close()

    # ---- requests ----

    def _open(
        self, *, path: str, stream_index: int | None = None, player: Json | None = None
    ) -> Answer:
        facts = _PlayerFacts(**(player or {}))
        picture = Picture((path,), 1, stream_index)
        viewing = self._opener.view(picture, self._choice.now.rate, facts)
        self._close_film()
        self._facts, self._picture = facts, picture
        return self._show(viewing)

    def _show(self, viewing: Viewing) -> Answer:
        viewing.stream.on_failure = lambda error: self._note(error.message)
        viewing.pipeline.retime(self._choice.now.retiming(self._options.stream.passes))
        address = self._pictures.offer(viewing.stream)
        self._viewing = viewing
        self._remarks.live("")
        self._fit(viewing)
        info = viewing.info
        return {
            "address": address,
            "size": viewing.stream.size,
            "width": info.width,
            "height": info.height,
            "format": info.format.name,
            "source_rate": str(info.source_rate),
            "target_rate": str(viewing.target_rate),
            "end": viewing.end,
        }

    def _fit(self, viewing: Viewing) -> None:
        """Give a viewing the chosen model: at once if nothing must be loaded, else on the
        worker.
        """
        if is_quick(self._choice.now.model):
            self._model.use(viewing)
        else:
            self._worker.do(partial(self._use, viewing))

    def _proven(self, viewing: Viewing) -> None:
        """Load the model, because the GPU was tested (called on the test's thread)."""
        self._worker.do(partial(self._use, viewing))

    def _use(self, viewing: Viewing) -> None:
        if viewing is self._viewing:
            self._model.use(viewing)

    def _close_film(self) -> Answer:
        viewing, self._viewing = self._viewing, None
        if viewing is not None:
            self._pictures.withdraw(viewing.stream)
        return {}

    def _shown(self) -> Viewing:
        if self._viewing is None:
            raise UsageError("no film is open", '"open" comes first')
        return self._viewing

    def _seek(self, *, to: float) -> Answer:
        self._shown().stream.kick(float(to))
        return {}

    def _report(
        self,
        *,
        position: float | None,
        running: bool | None = None,
        late: float | None = None,
        restarted: bool = False,
    ) -> Answer:
        if restarted:
            self._playhead.restarted()
        self._playhead.report(None if position is None else float(position))
        if running is not None:
            self._playhead.set_running(bool(running))
        if late is not None:
            self._playhead.set_late(float(late))
        return {}

    def _speed(self, *, value: float) -> Answer:
        self._playhead.set_speed(float(value))
        return {}

    def _style(self, *, name: str) -> Answer:
        self._choice.take(self._choice.now.with_style(name))
        if self._viewing is not None:
            self._viewing.pipeline.retime(self._choice.now.retiming(self._options.stream.passes))
        return {"style": self._choice.now.live_style}

    def _take_model(self, *, name: str) -> Answer:
        self._choice.take(self._choice.now.with_model(name))
        if self._viewing is not None:
            self._fit(self._viewing)
        return {"model": self._choice.now.model}

    def _rate(self, *, value: str) -> Answer:
        wanted = self._choice.now.with_rate(value)
        if self._viewing is None:
            self._choice.take(wanted)
            return {"rate": wanted.rate}
        new = self._opener.view(self._picture, wanted.rate, self._facts)
        self._choice.take(wanted)
        self._close_film()
        return {"rate": wanted.rate, **self._show(new)}

    def _statistics(self) -> Answer:
        viewing = self._shown()
        now = viewing.pipeline.statistics()
        return {
            "model": self._choice.now.model,
            "style": self._choice.now.live_style,
            "device": self._model.host.place,
            "decoder": now.decoder,
            "is_interpolating": now.is_interpolating,
            "is_behind": now.is_behind,
            "margin": now.margin,
            "cost_ms": now.cost_ms,
            "level": now.standing.level,
            "given_up": now.standing.given_up,
            "frames": now.frames,
            "ready": now.num_ready,
            "failure": None if now.failure is None else now.failure.message,
        }
