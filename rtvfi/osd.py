"""The text of the statistics overlay. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.frame import Kind

if TYPE_CHECKING:
    from rtvfi.report import Report
    from rtvfi.session import Viewing


def lines(viewing: Viewing, model: str, device: str, report: Report) -> list[str]:
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
        f"model   {model} on {device}{state}",
        f"decoder {info.decoder}, {info.width}x{info.height} {info.format.name}",
        f"cost    {cost} a frame, margin {margin}, ready {now.num_ready}",
        f"frames  {now.counts.get(Kind.SYNTHETIC, 0) / total:.0%} interpolated, "
        f"{now.counts.get(Kind.CHEAP, 0) / total:.0%} filled in, {report.drops} dropped",
    ]
