"""Plots the log of a run as an SVG file."""

from __future__ import annotations

import json
import math
from html import escape
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

Entry = dict[str, float]
"""A line of the log: a step, and what was measured after it."""

WIDTH, HEIGHT = 860, 200
"""Size of one panel, pixels."""
LEFT, RIGHT, TOP, BOTTOM = 60, 170, 26, 30
COLOURS = ("#1f6fb2", "#d1495b", "#3a7d44", "#8e5ea2", "#c77f0a", "#3c8d93", "#777777")
NO_SCORES = ("step", "seconds", "rate", "picture", "flow")


class Panel(NamedTuple):
    """Curves over the steps under one title."""

    title: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    """(step, value) pairs by name of the curve."""


def read_log(path: Path) -> list[Entry]:
    """The entries of ``log.jsonl``; an incomplete last line is ignored."""
    entries = []
    for line in path.read_text().splitlines():
        try:
            entries.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return entries


def plot_log(entries: Sequence[Entry]) -> str:
    """The SVG of a run: validation PSNR by data set, losses, learning rate."""
    scores = [name for name in _names(entries) if name not in NO_SCORES]
    return draw(
        [
            Panel("validation, luma PSNR in dB", _curves(entries, scores)),
            Panel("training, picture error", _curves(entries, ("picture",))),
            Panel("training, flow error", _curves(entries, ("flow",))),
            Panel("learning rate", _curves(entries, ("rate",))),
        ]
    )


def _names(entries: Iterable[Entry]) -> list[str]:
    return list(dict.fromkeys(name for entry in entries for name in entry))


def _curves(entries: Sequence[Entry], names: Iterable[str]) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    for name in names:
        points = [(float(e["step"]), float(e[name])) for e in entries if name in e]
        curves[name] = [(step, value) for step, value in points if math.isfinite(value)]
    return {name: points for name, points in curves.items() if points}


def draw(panels: Sequence[Panel]) -> str:
    """An SVG with the panels one below the other."""
    height = HEIGHT * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {number * HEIGHT})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> list[str]:
    parts = [f'<text x="{LEFT}" y="16" font-weight="bold">{escape(panel.title)}</text>']
    points = [point for curve in panel.curves.values() for point in curve]
    if not points:
        return [*parts, f'<text x="{LEFT}" y="{HEIGHT / 2}" fill="#888">nothing yet</text>']
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    steps = ticks(0.0, max(step for step, _ in points))
    levels = ticks(min(value for _, value in points), max(value for _, value in points))

    def x(step: float) -> float:
        return LEFT + (step - steps[0]) / (steps[-1] - steps[0]) * (right - LEFT)

    def y(value: float) -> float:
        return bottom - (value - levels[0]) / (levels[-1] - levels[0]) * (bottom - TOP)

    parts += [
        f'<path d="M{LEFT} {y(level):.1f}H{right}" stroke="#ddd"/>'
        f'<text x="{LEFT - 6}" y="{y(level) + 4:.1f}" text-anchor="end">{level:g}</text>'
        for level in levels
    ]
    parts += [
        f'<text x="{x(step):.1f}" y="{bottom + 16}" text-anchor="middle">{step:g}</text>'
        for step in steps
    ]
    for number, (name, curve) in enumerate(panel.curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        way = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in curve)
        last_step, last = curve[-1]
        label = f"{escape(name)} {last:.4g}"
        parts.append(
            f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="1.4"/>'
            f'<circle cx="{x(last_step):.1f}" cy="{y(last):.1f}" r="2" fill="{colour}"/>'
            f'<text x="{right + 10}" y="{TOP + 10 + 14 * number}" fill="{colour}">{label}</text>'
        )
    return parts


def ticks(low: float, high: float) -> list[float]:
    """Axis ticks: four to ten round numbers that enclose ``low`` and ``high``."""
    if high - low <= 1e-9 * max(abs(low), abs(high), 1e-3):
        span = abs(low) * 0.1 or 1.0
        low, high = low - span, high + span
    step = 10 ** math.floor(math.log10(high - low))
    step *= next(k for k in (0.2, 0.5, 1.0, 2.0) if (high - low) / (step * k) <= 7)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [k * step for k in range(first, last + 1)]
