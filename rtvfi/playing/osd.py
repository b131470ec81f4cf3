"""The text of the statistics overlay. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.core.frame import Kind
from rtvfi.core.program import command_line

if TYPE_CHECKING:
    from rtvfi.engine.build import Viewing
    from rtvfi.playing.report import Report
    from rtvfi.playing.wanted import Wanted
    from rtvfi.stream.plan.ladder import Standing
    from rtvfi.stream.run.parts import Statistics

LONG_WARM_UP: Final = 2.0
"""If the first call took longer than this many seconds, the overlay shows it."""


def lines(
    viewing: Viewing, wanted: Wanted, device: str, report: Report, load: str = ""
) -> list[str]:
    """The lines of the overlay.

    Args:
        viewing: the viewing that is shown.
        wanted: the user's choice.
        device: the device of the model; empty if there is none yet.
        report: has the frames that mpv dropped.
        load: the GPU's sensors in one line; empty if there are none.
    """
    now = viewing.pipeline.statistics()
    info = viewing.info
    cost = "-" if now.cost_ms is None else f"{now.cost_ms:.1f} ms"
    margin = "-" if now.margin is None else f"{now.margin:.2f} s"
    is_model = wanted.model != "copy"
    name = f"{wanted.model} on {device}" if device and is_model else wanted.model
    state = " (loading)" if is_model and not now.is_interpolating else ""
    if now.is_behind:
        state = " (too slow: source frames fill in)"
    return [
        f"rtvfi   {float(info.source_rate):.6g} fps > {float(viewing.target_rate):.6g} fps",
        f"model   {name}{state}",
        *([f"gpu     {load}"] if load else []),
        f"style   {wanted.live_style}{_plan(now)}",
        *_quality(now.standing),
        f"decoder {now.decoder}, {info.width}x{info.height} {info.format.name}",
        f"cost    {cost} a frame, margin {margin}, ready {now.num_ready}",
        f"frames  {now.counts.total()} made: {now.share(Kind.SYNTHETIC):.0%} "
        f"interpolated, {now.share(Kind.COPY):.0%} as in the film, "
        f"{now.share(Kind.CHEAP):.0%} filled in for lack of time",
        f"mpv     dropped {report.drops}",
    ]


def warm_up(seconds: float) -> str:
    """Text after the device: the time of the first call, if it was long."""
    return f", first picture after {seconds:.0f} s" if seconds > LONG_WARM_UP else ""


def scale(flow_scale: float | None) -> str:
    """Text after the device: the flow scale, if it was chosen by the machine's speed."""
    return "" if flow_scale is None else f", scale {flow_scale:g}"


def live(viewing: Viewing, wanted: Wanted, place: str) -> str:
    """A short description of what is in use: rates, model and device."""
    rates = " → ".join(f"{float(r):.5g}" for r in (viewing.info.source_rate, viewing.target_rate))
    return f"{rates}, {wanted.model} on {place}"


def advice(better: str | None) -> list[str]:
    """A line with the command that gets a better model, if there is one."""
    return [f"better  {better}: {command_line(f'weights get {better}')}"] if better else []


def _plan(now: Statistics) -> str:
    """Text about the planner's options."""
    plan = now.plan
    text = ""
    if plan is not None and plan.num_frames == 3:
        text += ", 3 frames"
    if plan is not None and plan.passes:
        text += f", {count(plan.passes, 'pass', 'passes')}"
    return text


def _quality(standing: Standing) -> list[str]:
    """Lines about the step on the quality ladder, and what was given up for lack of time."""
    level, steps = standing
    if not steps:
        return []
    if not level:
        return ["quality full"]
    return [
        f"quality {level} of {len(steps) - 1} steps down, because the machine is too slow",
        f"now     {', '.join(standing.given_up)}",
    ]


def count(number: int, one: str, many: str) -> str:
    """A number with its noun in the singular or plural."""
    return f"{number} {one if number == 1 else many}"
