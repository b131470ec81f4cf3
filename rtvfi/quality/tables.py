"""Formats results as tables for a terminal and in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rtvfi.quality.measure import over_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from rtvfi.quality.measure import Scores, SetResult


class Column(NamedTuple):
    """How a metric is printed."""

    head: str
    is_more_better: bool
    decimals: int = 2
    factor: float = 1.0


COLUMNS: Final = {
    "psnr": Column("PSNR", True),
    **{drawn: Column(drawn, True) for drawn in ("ones", "twos", "threes", "fours")},
    "ssim": Column("SSIM", True, decimals=4),
    "line": Column("line", False, factor=1e4),
    "evenness": Column("uneven", False),
    "warp": Column("warp", False),
    "ripple": Column("ripple", False),
    "sharpness": Column("sharp", True),
    "ms": Column("ms", False, decimals=1),
    "cpu_ms": Column("CPU ms", False, decimals=1),
}
"""The column of each metric."""
_MEANINGS: Final = {
    "psnr": "PSNR of luma in dB",
    "ones": "ones to fours: PSNR of objects drawn on ones, twos, ...",
    "ssim": "SSIM of luma",
    "line": "line: chamfer distance of lines, 1e-4 of the diagonal",
    "evenness": "uneven: mean distance of blocks from their true position, pixels",
    "warp": "warp: difference from the input frames warped along the true motion, levels of 255",
    "ripple": "ripple: change where both input frames are equal, levels of 255",
    "sharpness": "sharp: gradient relative to the truth's",
    "ms": "ms, CPU ms: per interpolated picture",
}


def legend(results: Sequence[SetResult]) -> str:
    """A sentence that explains the columns."""
    metrics = results[0].metrics
    more = [COLUMNS[m].head for m in metrics if COLUMNS[m].is_more_better]
    text = "; ".join(_MEANINGS[m] for m in metrics if m in _MEANINGS)
    return f"Higher is better for {', '.join(more)}, lower for the others. {text}."


def groups(results: Sequence[SetResult]) -> list[tuple[str, dict[str, Scores]]]:
    """(heading, values by method) of every set, and of the mean if there are several sets."""
    found = []
    for r in results:
        count = f"{r.num_triplets} {r.unit}" + ("s" if r.num_triplets != 1 else "")
        found.append((f"{r.name}: {count} of {r.size[0]}x{r.size[1]}", r.scores))
    if len(results) > 1:
        found.append((f"mean of {len(results)} sets", over_sets(results)))
    return found


def best_of(scores: dict[str, Scores], metric: str) -> str | None:
    """The best value of a metric as printed; None if fewer than two methods have a value."""
    known = [v for s in scores.values() if (v := s.values[metric]) is not None]
    if len(known) < 2:
        return None
    return text_of((max if COLUMNS[metric].is_more_better else min)(known), metric)


def text_of(value: float | None, metric: str) -> str:
    """A value as printed; a dash for None."""
    column = COLUMNS[metric]
    return "-" if value is None else f"{value * column.factor:.{column.decimals}f}"


def cells(scores: dict[str, Scores], mark: tuple[str, str]) -> list[list[str]]:
    """The rows of a set: method, then values. The best values are enclosed in the two marks."""
    metrics = list(next(iter(scores.values())).values)
    best = {metric: best_of(scores, metric) for metric in metrics}
    rows = []
    for method, found in scores.items():
        row = [method]
        for metric in metrics:
            text = text_of(found.values[metric], metric)
            row.append(text.join(mark) if text == best[metric] else text)
        rows.append(row)
    return rows


def rich_tables(results: Sequence[SetResult]) -> list[Table]:
    """One table per set for rich's console, with aligned columns. The width is 80 characters if
    names have up to 12.
    """
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    widest = max(len(name) for name in results[0].scores)
    tables = []
    for heading, scores in groups(results):
        table = Table(title=escape(heading), title_justify="left", box=SIMPLE_HEAD)
        table.add_column("", min_width=widest, no_wrap=True)
        for metric in results[0].metrics:
            table.add_column(COLUMNS[metric].head, justify="right", min_width=5, no_wrap=True)
        for row in cells(scores, ("[bold]", "[/bold]")):
            table.add_row(escape(row[0]), *row[1:])
        tables.append(table)
    return tables


def remarks(results: Sequence[SetResult]) -> list[str]:
    """What was left out, and why values are missing; each remark once."""
    found = [f"{r.name}: {r.remark}" for r in results if r.remark]
    for r in results:
        for scores in r.scores.values():
            found += [f"{r.name}: no {name}, {why}" for name, why in scores.reasons.items()]
    return list(dict.fromkeys(found))


def markdown(results: Sequence[SetResult], notes: Sequence[str] = ()) -> str:
    """A Markdown table with the best value of each set in bold; below it remarks and ``notes``."""
    metrics = results[0].metrics
    heads = ["set", "method", *(COLUMNS[metric].head for metric in metrics)]
    lines = [heads, ["---"] * 2 + ["---:"] * len(metrics)]
    for heading, scores in groups(results):
        first = heading
        for row in cells(scores, ("**", "**")):
            lines.append([first, *row])
            first = ""
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    below = [*remarks(results), *notes]
    return text + "".join(f"\n- {line}" for line in below)
