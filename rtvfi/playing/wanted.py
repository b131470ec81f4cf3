"""The user's live choices: model, rate, style, on or off. No player.

``Wanted`` is one set of choices; ``Choice`` is the only place that stores the current one. The keys
write it, on mpv's event thread; everything else only reads it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UsageError, WeightsMissing
from rtvfi.core.program import command_line
from rtvfi.core.rates import parse_rate
from rtvfi.models.catalogue import MODELS
from rtvfi.models.weights.store import is_available
from rtvfi.settings.keys import STYLES, any_of, did_you_mean
from rtvfi.stream.plan.steering import Retiming

if TYPE_CHECKING:
    from rtvfi.core.options import StreamOptions, Style

RATES: Final = ("2x", "60", "display")
"""The rates that the key Ctrl+f cycles through."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One set of choices; immutable, every key makes a new one."""

    model: str
    rate: str
    style: Style = "plain"
    """Never ``off``: the style used when interpolation is on."""
    is_on: bool = True

    @classmethod
    def of(cls, model: str, rate: str, stream: StreamOptions) -> Wanted:
        """The choices at the start, from the options."""
        is_on = stream.style != "off"
        return cls(model, rate, stream.style if is_on else "plain", is_on)

    @property
    def live_style(self) -> Style:
        """The effective style: ``rhythm`` becomes ``plain`` with a two-frame model."""
        if not self.is_on:
            return "off"
        return self.style if self.style in self.styles else "plain"

    @property
    def styles(self) -> tuple[Style, ...]:
        """The styles that the model supports, in the order of the key."""
        is_triple = MODELS[self.model].num_frames == 3
        return tuple(style for style in STYLES if style != "rhythm" or is_triple)

    def retiming(self, passes: int | None) -> Retiming:
        """The retiming for the pipeline."""
        return Retiming(style=self.style, passes=passes)

    def with_style(self, name: str) -> Wanted:
        """The style of that name, or the next one.

        Raises:
            UsageError: there is no such style, or the model cannot do it.
        """
        styles = self.styles
        if not name:
            name = styles[(styles.index(self.live_style) + 1) % len(styles)]
        for style in styles:
            if style == name:
                return replace(self, is_on=False) if style == "off" else self._on(style)
        if name in STYLES:
            raise UsageError(
                f'style "{name}" needs a model that looks at three frames; {self.model} looks at '
                "two",
                hint="drba is one that does",
            )
        raise UsageError(
            f'there is no style "{name}", expected {any_of(STYLES)}', did_you_mean(name, STYLES)
        )

    def _on(self, style: Style) -> Wanted:
        return replace(self, style=style, is_on=True)

    def with_model(self, name: str) -> Wanted:
        """The choices with the model of that name, or with the next installed one.

        Raises:
            WeightsMissing: its weights are not installed, or there is no such model.
        """
        here = [model for model, info in MODELS.items() if is_available(info)]
        if name and name not in here:
            raise WeightsMissing(
                f'model "{name}" is not installed', command_line("models lists them")
            )
        # linear and copy are for tests and comparisons: by name only.
        networks = [model for model in here if MODELS[model].family != "linear"]
        current = networks.index(self.model) if self.model in networks else -1
        return replace(self, model=name or networks[(current + 1) % len(networks)])

    def with_rate(self, text: str) -> Wanted:
        """The choices with that rate, or with the next of ``RATES``.

        Raises:
            UsageError: the text is not a rate.
        """
        if not text:
            current = RATES.index(self.rate) if self.rate in RATES else -1
            text = RATES[(current + 1) % len(RATES)]
        parse_rate(text)
        return replace(self, rate=text)


class Choice:
    """Stores the current choices.

    Args:
        first: the choices at the start.
    """

    def __init__(self, first: Wanted) -> None:
        self._now = first

    @property
    def now(self) -> Wanted:
        """The current choices."""
        return self._now

    def take(self, wanted: Wanted) -> None:
        """Replace the choices; they take effect when ``Showing`` is called."""
        self._now = wanted
