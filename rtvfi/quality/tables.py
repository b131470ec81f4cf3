"""Results as tables: for a terminal, and in Markdown for a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rtvfi.quality.measure import METRICS, over_sets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtvfi.quality.measure import Scores, SetResult

COLUMNS: Final = {
    # metric: (head, factor, decimals, 1 where more is better)
    "psnr": ("PSNR", 1.0, 2, 1),
    "ssim": ("SSIM", 1.0, 4, 1),
    "line": ("line", 1e4, 2, -1),
    "evenness": ("uneven", 1.0, 2, -1),
    "warp": ("warp", 1.0, 2, -1),
    "ripple": ("ripple", 1.0, 2, -1),
    "ms": ("ms", 1.0, 1, -1),
    "cpu_ms": ("CPU ms", 1.0, 1, -1),
}
LEGEND: Final = (
    "PSNR (dB) and SSIM of luma: more is better, of all others less. line: chamfer distance of "
    "lines, 1e-4 of the diagonal. uneven: mean distance of things from their true place, pixels. "
    "warp: mean difference from the ends moved along the true motion, levels of 255. ripple: mean "
    "change where both ends agree, levels. ms, CPU ms: of one made picture."
)


def groups(results: Sequence[SetResult]) -> list[tuple[str, dict[str, Scores]]]:
    """Heading and rows of every set, and of their mean if there are several."""
    found = []
    for r in results:
        count = f"{r.num_triplets} triplet" + ("s" if r.num_triplets != 1 else "")
        found.append((f"{r.name}: {count} of {r.size[0]}x{r.size[1]}", r.scores))
    if len(results) > 1:
        found.append((f"mean of {len(results)} sets", over_sets(results)))
    return found


def best_of(scores: dict[str, Scores], metric: str) -> str | None:
    """The number, as it is printed, that wins in a column of several methods."""
    _, _, _, direction = COLUMNS[metric]
    known = [v for s in scores.values() if (v := s.values[metric]) is not None]
    if len(known) < 2:
        return None
    return text_of(max(known, key=lambda v: direction * v), metric)


def text_of(value: float | None, metric: str) -> str:
    """A number as it is printed; a dash for none."""
    _, factor, decimals, _ = COLUMNS[metric]
    return "-" if value is None else f"{value * factor:.{decimals}f}"


def cells(scores: dict[str, Scores], mark: tuple[str, str]) -> list[list[str]]:
    """Rows of a set: the method, then its numbers; the best between the two marks."""
    best = {metric: best_of(scores, metric) for metric in METRICS}
    rows = []
    for method, found in scores.items():
        row = [method]
        for metric in METRICS:
            text = text_of(found.values[metric], metric)
            row.append(text.join(mark) if text == best[metric] else text)
        rows.append(row)
    return rows


def rich_tables(results: Sequence[SetResult]) -> list[Any]:
    """For rich's console: one a set, their columns below each other, 80 characters wide with names
    of up to 12."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    widest = max(len(name) for name in results[0].scores)
    tables = []
    for heading, scores in groups(results):
        table = Table(title=escape(heading), title_justify="left", box=SIMPLE_HEAD)
        table.add_column("", min_width=widest, no_wrap=True)
        for metric in METRICS:
            table.add_column(COLUMNS[metric][0], justify="right", min_width=5, no_wrap=True)
        for row in cells(scores, ("[bold]", "[/bold]")):
            table.add_row(escape(row[0]), *row[1:])
        tables.append(table)
    return tables


def remarks(results: Sequence[SetResult]) -> list[str]:
    """What was left out, and why numbers are missing; each once."""
    found = [f"{r.name}: {r.remark}" for r in results if r.remark]
    for r in results:
        for scores in r.scores.values():
            found += [f"{r.name}: no {name}, {why}" for name, why in scores.reasons.items()]
    return list(dict.fromkeys(found))


def markdown(results: Sequence[SetResult]) -> str:
    """A table for a page, the best of each set in bold."""
    heads = ["set", "method", *(COLUMNS[metric][0] for metric in METRICS)]
    lines = [heads, ["---"] * 2 + ["---:"] * len(METRICS)]
    for heading, scores in groups(results):
        first = heading
        for row in cells(scores, ("**", "**")):
            lines.append([first, *row])
            first = ""
    text = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return text + "".join(f"\n{remark}  " for remark in remarks(results))
