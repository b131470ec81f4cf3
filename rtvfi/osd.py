"""The text of the statistics overlay. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.frame import Kind

if TYPE_CHECKING:
    from rtvfi.report import Report
    from rtvfi.session import Viewing
    from rtvfi.stream.governor import Quality
    from rtvfi.stream.pipeline import Statistics
    from rtvfi.wanted import Wanted


def lines(viewing: Viewing, wanted: Wanted, device: str, report: Report) -> list[str]:
    """What the user may want to know right now, a line each."""
    now = viewing.pipeline.statistics()
    total = max(1, sum(now.counts.values()))
    info = viewing.info
    cost = "-" if now.cost_ms is None else f"{now.cost_ms:.1f} ms"
    margin = "-" if now.margin is None else f"{now.margin:.2f} s"
    state = "" if now.is_interpolating else " (loading)"
    if now.is_behind:
        state = " (too slow: source frames fill in)"
    return [
        f"rtvfi   {float(info.source_rate):.6g} fps > {float(viewing.target_rate):.6g} fps",
        f"model   {wanted.model} on {device}{state}",
        f"style   {wanted.live_style}{_plan(now)}",
        f"decoder {now.decoder}, {info.width}x{info.height} {info.format.name}",
        f"cost    {cost} a frame, margin {margin}, ready {now.num_ready}",
        f"frames  {now.counts.get(Kind.SYNTHETIC, 0) / total:.0%} interpolated, "
        f"{now.counts.get(Kind.CHEAP, 0) / total:.0%} filled in, {report.drops} dropped",
    ]


def _plan(now: Statistics) -> str:
    """How scenes are retimed, and what was given up for lack of time."""
    plan, quality = now.plan, now.quality
    text = ""
    if plan is not None and plan.num_frames == 3:
        text += ", 3 frames"
    if plan is not None and plan.passes:
        text += f", {count(plan.passes, 'pass', 'passes')}"
    if now.level and quality is not None:
        text += f" (quality -{now.level}: {words(quality)})"
    return text


def words(quality: Quality) -> str:
    """A step of the quality ladder that is not the best."""
    if quality.is_bypass:
        return "source frames only"
    if quality.is_sparse:
        return "every second pair is left as it is"
    return f"{count(quality.passes, 'pass', 'passes')}, {quality.num_frames} frames a call"


def count(number: int, one: str, many: str) -> str:
    """A number of things."""
    return f"{number} {one if number == 1 else many}"
