"""Break films by the hundred and see that nothing else breaks.

    PYTHONPATH=. .venv/bin/python tests/fuzz.py --seeds 0..200

Every seed is one broken file, always the same one; it goes through ``info``, ``render`` and the
pipeline of ``play`` (with ``--routes info,render,play,mpv`` through a real mpv, too), each in a
child with limits. ``--keep FOLDER`` keeps the files. Exit code 1 when anything failed.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from hostile import routes
from hostile.damage import KINDS, Case, make
from hostile.films import Films

if TYPE_CHECKING:
    from collections.abc import Iterable

PARTS = (
    "torch",
    "rtvfi.render.render",
    "rtvfi.player",
    "rtvfi.stream.run.executors.interpolate",
    "rich.progress",
)
"""Imported before the first child, so that no child has to."""

_SHOWN = 40
"""Failures told one by one."""


def seeds(text: str) -> list[int]:
    """``7``, ``0..200`` (without 200), or several such with commas between."""
    found: list[int] = []
    for word in text.split(","):
        first, dots, last = word.partition("..")
        found += range(int(first), int(last)) if dots else [int(first)]
    return found


class Tally:
    """Counts by kind and outcome, and every failure."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()
        self.failures: list[str] = []
        self.most_resident = 0
        self.slowest = (0.0, "")

    def add(self, case: Case, route: str, verdict: routes.Verdict) -> None:
        """Count one attempt."""
        self.counts[case.kind, verdict.outcome] += 1
        self.reasons[verdict.outcome, verdict.why] += 1
        self.most_resident = max(self.most_resident, verdict.resident)
        where = f"seed {case.seed} ({case.kind}: {case.what}), {route}"
        self.slowest = max(self.slowest, (verdict.seconds, where))
        if verdict.outcome == routes.FAILED:
            self.failures.append(f"{where}: {verdict.why}")

    def table(self) -> str:
        """Kinds down, outcomes across."""
        outcomes = (routes.PLAYED, routes.RECOVERED, routes.REFUSED, routes.FAILED)
        line = "{:<14}" + "{:>13}" * (len(outcomes) + 1)
        rows = [line.format("", "tried", *outcomes)]
        kinds = [kind for kind in (*KINDS, "given") if any(k == kind for k, _ in self.counts)]
        for kind in kinds:
            counts = [self.counts[kind, outcome] for outcome in outcomes]
            rows.append(line.format(kind, sum(counts), *counts))
        totals = [sum(self.counts[kind, outcome] for kind in kinds) for outcome in outcomes]
        rows.append(line.format("all", sum(totals), *totals))
        return "\n".join(rows)

    def report(self, *, is_long: bool) -> str:
        """Everything that is to be told."""
        lines = [
            self.table(),
            f"most memory: {self.most_resident >> 20} MiB",
            f"slowest: {self.slowest[0]:.1f} s, {self.slowest[1]}",
        ]
        if is_long:
            found = sorted(self.reasons.items())
            lines += [f"{count:>5}  {outcome}: {why}" for (outcome, why), count in found]
        lines += [f"FAILURE {failure}" for failure in self.failures[:_SHOWN]]
        return "\n".join(lines) + "\n"


def fuzz(cases: Iterable[Case], names: Iterable[str], folder: Path) -> Tally:
    """Try every case on every route."""
    tally = Tally()
    names = tuple(names)
    for case in cases:
        for name in names:
            work = folder / "work"
            work.mkdir()
            tally.add(case, name, routes.attempt(name, case.path, work))
            shutil.rmtree(work)
    return tally


def main(words: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--seeds", type=seeds, default=[], help="0..200, or 3,5,8")
    parser.add_argument("--files", nargs="*", type=Path, default=[], help="files as they are")
    parser.add_argument("--routes", default="info,render,play")
    parser.add_argument("--keep", type=Path, help="a folder that keeps the broken files")
    parser.add_argument("--verbose", action="store_true", help="all messages, counted")
    arguments = parser.parse_args(words)
    os.environ["RTVFI_CONFIG"] = ""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for name in PARTS:
        importlib.import_module(name)
    logging.getLogger("libav").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="rtvfi-fuzz-") as text:
        folder = Path(text)
        kept = arguments.keep or folder / "broken"
        kept.mkdir(parents=True, exist_ok=True)
        films = Films(folder / "films")

        def cases() -> Iterable[Case]:
            for seed in arguments.seeds:
                case = make(seed, films, kept)
                yield case
                if arguments.keep is None:
                    case.path.unlink()
            for path in arguments.files:
                yield Case(-1, "given", path.name, path.resolve())

        tally = fuzz(cases(), arguments.routes.split(","), folder)
    sys.stdout.write(tally.report(is_long=arguments.verbose))
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
