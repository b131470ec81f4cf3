"""What the user can ask for while playing: the script-messages behind the keys, and the overlay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rtvfi.core.errors import RtvfiError
from rtvfi.core.program import typed
from rtvfi.playing import osd
from rtvfi.playing.mpv import window

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.playing.mpv.events import Watch
    from rtvfi.playing.mpv.window import Screen
    from rtvfi.playing.report import Report
    from rtvfi.playing.showing import Showing
    from rtvfi.playing.wanted import Wanted


class Controls:
    """Binds the keys of one player; its handlers run on python-mpv's event thread.

    Args:
        player: a python-mpv ``MPV``.
        showing: what is changed.
        screen: where the change is said.
        watch: knows of a seek under way.
        report: for the overlay.
    """

    def __init__(
        self, player: Any, showing: Showing, screen: Screen, watch: Watch, report: Report
    ) -> None:
        self._mpv = player
        self._showing = showing
        self._screen = screen
        self._watch = watch
        self._report = report
        self._is_overlay_shown = False
        handlers: dict[str, Callable[..., None]] = {
            "rtvfi-toggle": self._toggle,
            "rtvfi-model": self._choose_model,
            "rtvfi-fps": self._choose_rate,
            "rtvfi-style": self._choose_style,
            "rtvfi-stats": self._toggle_overlay,
        }
        window.bind(player, handlers)

    def _toggle(self, *_: str) -> None:
        self._switch(is_on=not self._showing.wanted.is_on)
        self._screen.say("interpolation " + ("on" if self._showing.wanted.is_on else "off"))

    def _switch(self, *, is_on: bool) -> None:
        self._showing.switch(is_on=is_on, is_seeking=self._watch.is_seeking)

    def _take(self, change: Callable[[str], Wanted], name: str) -> bool:
        """Want something else; False, and said why, when it cannot be had."""
        try:
            self._showing.wanted = change(name)
        except RtvfiError as error:
            self._screen.complain(error)
            return False
        return True

    def _choose_model(self, name: str = "", *_: str) -> None:
        before = self._showing.wanted
        if not self._take(before.with_model, name):
            return
        model = self._showing.wanted.model
        if model == before.model:
            self._screen.say(f"model {model}, no other is here: {typed('weights get NAME')}")
            return
        self._screen.say(f"model {model}")
        self._showing.change_model()

    def _choose_rate(self, text: str = "", *_: str) -> None:
        if not self._take(self._showing.wanted.with_rate, text):
            return
        self._screen.say(f"output rate {self._showing.wanted.rate}")
        self._showing.change_rate()

    def _choose_style(self, name: str = "", *_: str) -> None:
        before = self._showing.wanted
        if not self._take(before.with_style, name):
            return
        wanted, viewing = self._showing.wanted, self._showing.viewing
        self._screen.say(f"style {wanted.live_style}")
        if viewing is not None and wanted.style != before.style:
            self._showing.retime(viewing)
            if before.is_on:
                self._showing.show_now()
        if wanted.is_on != before.is_on:
            self._switch(is_on=wanted.is_on)

    def _toggle_overlay(self, *_: str) -> None:
        self._is_overlay_shown = not self._is_overlay_shown
        if self._is_overlay_shown:
            self.draw_overlay()
        else:
            window.overlay(self._mpv, None)

    def draw_overlay(self) -> None:
        """Bring the figures up to date, if they are wanted."""
        if not self._is_overlay_shown:
            return
        showing, lines = self._showing, ["rtvfi: interpolation off"]
        if showing.shown is not None:
            device = str(showing.models.device)
            lines = osd.lines(showing.shown, showing.wanted, device, self._report)
        window.overlay(self._mpv, lines)
