"""Controls while playing: keys, the script-messages behind them, and the overlay.

Another key is a line of ``KEYS``, a handler in ``Controls`` and a row in the README.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import RtvfiError
from rtvfi.core.program import command_line
from rtvfi.models.weights.auto import better_model
from rtvfi.playing import osd
from rtvfi.playing.mpv import screen as draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.playing.mpv.events import Watch
    from rtvfi.playing.mpv.player import Mpv
    from rtvfi.playing.mpv.screen import Screen
    from rtvfi.playing.showing import Showing
    from rtvfi.playing.wanted import Choice, Wanted

KEYS: Final = {
    "Ctrl+i": ("rtvfi-toggle", "interpolation on and off"),
    "Ctrl+m": ("rtvfi-model", "next model"),
    "Ctrl+f": ("rtvfi-fps", "output rate: 2x, 60, display"),
    "Ctrl+y": ("rtvfi-style", "next style"),
    "Ctrl+o": ("rtvfi-stats", "statistics overlay"),
}
"""Script-message and description by key; bound where the user's input.conf leaves the key free."""


class Controls:
    """Binds the keys of one player; its handlers run on python-mpv's event thread.

    Args:
        player: the mpv.
        choice: the user's live choices; only this class changes them.
        showing: carries out a changed choice.
        screen: shows messages about it.
        watch: knows whether a seek is under way, and has the report for the overlay.
    """

    def __init__(
        self, player: Mpv, choice: Choice, showing: Showing, screen: Screen, watch: Watch
    ) -> None:
        self._mpv = player
        self._choice = choice
        self._showing = showing
        self._screen = screen
        self._watch = watch
        self._is_overlay_shown = False
        handlers: dict[str, Callable[..., None]] = {
            "rtvfi-toggle": self._toggle,
            "rtvfi-model": self._choose_model,
            "rtvfi-fps": self._choose_rate,
            "rtvfi-style": self._choose_style,
            "rtvfi-stats": self._toggle_overlay,
        }
        draw.bind(player, handlers, KEYS)

    def _toggle(self, *_: str) -> None:
        # The user may also have switched with mpv's own key for video tracks.
        is_there = self._showing.viewing is not None
        is_on = not (self._showing.is_on_screen if is_there else self._choice.now.is_on)
        self._choice.take(replace(self._choice.now, is_on=is_on))
        self._switch()
        self._screen.say("interpolation " + ("on" if is_on else "off"))

    def _switch(self) -> None:
        self._showing.switch(is_seeking=self._watch.is_seeking)

    def _take(self, change: Callable[[str], Wanted], name: str) -> bool:
        """Change the choice; False, with a message, if that is impossible."""
        try:
            self._choice.take(change(name))
        except RtvfiError as error:
            self._screen.complain(error)
            return False
        return True

    def _choose_model(self, name: str = "", *_: str) -> None:
        before = self._choice.now
        if not self._take(before.with_model, name):
            return
        model = self._choice.now.model
        if model == before.model:
            self._screen.say(
                f"model {model}; no other model is installed: {command_line('weights get NAME')}"
            )
            return
        self._screen.say(f"model {model}")
        self._showing.change_model()

    def _choose_rate(self, text: str = "", *_: str) -> None:
        if not self._take(self._choice.now.with_rate, text):
            return
        self._screen.say(f"output rate {self._choice.now.rate}")
        self._showing.change_rate()

    def _choose_style(self, name: str = "", *_: str) -> None:
        before = self._choice.now
        if not self._take(before.with_style, name):
            return
        wanted, viewing = self._choice.now, self._showing.viewing
        self._screen.say(f"style {wanted.live_style}")
        if viewing is not None and wanted.style != before.style:
            self._showing.retime(viewing)
            if before.is_on:
                self._showing.show_now()
        if wanted.is_on != before.is_on:
            self._switch()

    def _toggle_overlay(self, *_: str) -> None:
        self._is_overlay_shown = not self._is_overlay_shown
        if self._is_overlay_shown:
            self.draw_overlay()
        else:
            draw.overlay(self._mpv, None)

    def draw_overlay(self) -> None:
        """Redraw the overlay, if it is shown."""
        if not self._is_overlay_shown:
            return
        showing, lines = self._showing, ["rtvfi: interpolation off"]
        if showing.shown is not None:
            host = showing.model.host
            device = str(host.place or "")
            wanted = self._choice.now
            place = device and device + osd.scale(host.scale) + osd.warm_up(host.warm_up_seconds)
            load = showing.model.load
            lines = osd.lines(showing.shown, wanted, place, self._watch.report, load)
            lines += osd.advice(better_model(wanted.model, is_gpu=device.startswith("cuda")))
        draw.overlay(self._mpv, lines)
