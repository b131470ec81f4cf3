"""One run that measures all there is to know about a GPU, in at most eight minutes.

    python -m benchmarks.gpu                             CUDA or ROCm, 7 minutes
    python -m benchmarks.gpu --weights flownet.pkl       RIFE 4.25 from this file
    python -m benchmarks.gpu --device cpu --small        proves the script where there is none

It needs torch, numpy, this checkout and a file with the weights of RIFE 4.25 (without one they are
random, which takes as long); nothing from the network. What needs more (PyAV and libmpv for
``render`` and ``play``) says what it lacks. Every group of rows runs in a process of its own, which
ends with its share of the time, so that a crash or a hang costs that group only; its rows are then
printed and written to the JSON file (``--json``, gpu.json).

| group | rows |
|---|---|
| paths | one film, 24 to 60 pictures a second, plain and overlapped: time, pictures that differ |
| network | RIFE 4.25 as it is and as a graph, three float types, 1 to 3 new pictures a call |
| drba | DRBA over RIFE, two new pictures around a drawing |
| passes | midpoint passes L = 0 to 3: time of a shown picture, all its passes included |
| copies | upload, conversion to RGB, back to codes, download, pageable and pinned |
| play | ``render`` and ``play`` without a window, 1920x1080, 24 to 60, overlap off and on |
| others | GMFSS, GIMM, InterpAny, SAFA at 1920x1080 and 3840x2160 |
| compile | RIFE 4.25 by torch.compile |

Times are medians in milliseconds; memory is the most that torch held, MB (CPU: of the process).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.bare import stand_in

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARES = {
    "paths": 90,
    "network": 90,
    "drba": 30,
    "passes": 30,
    "copies": 20,
    "play": 70,
    "others": 60,
    "compile": 60,
}
"""Seconds of 450 for each group; what one leaves is the next one's."""
ROOT = Path(__file__).resolve().parent.parent
END = "end of group"


@dataclass(frozen=True)
class Asked:
    """What a group is given."""

    device: str
    is_small: bool
    weights: str
    """A file, or nothing."""
    seconds: float

    @property
    def sizes(self) -> tuple[tuple[int, int], ...]:
        """Of pictures."""
        return ((96, 64),) if self.is_small else ((1280, 720), (1920, 1080), (3840, 2160))

    @property
    def words(self) -> list[str]:
        """As the command line takes it."""
        words = [f"--device={self.device}", f"--seconds={self.seconds}"]
        words += ["--small"] * self.is_small
        return words + [f"--weights={self.weights}"] * bool(self.weights)


def child(group: str, asked: Asked) -> None:
    """Print a group's rows as JSON lines."""
    missing = stand_in()
    from benchmarks.gpu_rows import GROUPS, Late, Place

    place = Place(asked, missing)
    try:
        for row in GROUPS[group](place):
            print(json.dumps(row), flush=True)
    except Late:
        print(json.dumps({"what": "the rest", "note": "time was up"}), flush=True)
    print(json.dumps(END), flush=True)


def rows_of(group: str, asked: Asked) -> Iterator[dict[str, Any]]:
    """A group's rows, from a process of its own; the last one says why there are not more."""
    command = [sys.executable, "-m", "benchmarks.gpu", f"--child={group}", *asked.words]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        # A row may begin just before its time is up.
        out, said = process.communicate(timeout=asked.seconds + 25)
    except subprocess.TimeoutExpired:
        process.kill()
        out, said = process.communicate()
        said = "it hung, and was ended"
    rows = [json.loads(line) for line in out.splitlines() if line.startswith(("{", '"'))]
    yield from (row for row in rows if row != END)
    if END not in rows:
        last = said.strip().splitlines() or ["no word"]
        yield {"what": "ended early", "note": f"exit {process.returncode}: {last[-1][:200]}"}


COLUMNS = ("what", "size", "dtype", "form", "new", "ms", "fps", "mb")
WIDTHS = (34, 10, 9, 9, 4, 9, 8, 7)


def line(row: dict[str, Any]) -> str:
    """A row of the table."""
    cells = []
    for name, width in zip(COLUMNS, WIDTHS, strict=True):
        value = row.get(name, "")
        text = f"{value:.2f}" if isinstance(value, float) else str(value)
        cells.append(text.ljust(width) if name == "what" else text.rjust(width))
    return f"{''.join(cells)}  {row.get('note', '')}".rstrip()


def measure(asked: Asked, groups: list[str], path: Path) -> list[dict[str, Any]]:
    """Run the groups, print and write."""
    begin = time.monotonic()
    found: list[dict[str, Any]] = []
    print(line({name: name for name in COLUMNS}))
    scale = asked.seconds / sum(SHARES[group] for group in groups)
    due = 0.0
    for group in groups:
        due += SHARES[group] * scale
        left = due - (time.monotonic() - begin)
        if left < 2:
            rows = iter([{"what": "nothing", "note": "no time was left"}])
        else:
            rows = rows_of(group, Asked(asked.device, asked.is_small, asked.weights, left))
        print(f"-- {group}", flush=True)
        for row in rows:
            found.append({"group": group} | row)
            print(line(row), flush=True)
            path.write_text(json.dumps({"asked": asdict(asked), "rows": found}, indent=1) + "\n")
    print(f"{len(found)} rows in {time.monotonic() - begin:.0f} s; {path}")
    return found


def main(arguments: list[str] | None = None) -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description="All there is to know about a GPU.")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny pictures, few rows")
    parser.add_argument("--weights", default="", help="flownet.pkl or rife-4.25.safetensors")
    parser.add_argument("--seconds", type=float, help="of all groups (450; small: 110)")
    parser.add_argument("--groups", default="", help="some of them, by commas (small: no compile)")
    parser.add_argument("--json", type=Path, default=Path("gpu.json"))
    parser.add_argument("--child", choices=SHARES, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    seconds = options.seconds or (110 if options.small else 450)
    weights = str(Path(options.weights).resolve()) if options.weights else ""
    asked = Asked(options.device, options.small, weights, seconds)
    if options.child:
        child(options.child, asked)
        return
    usual = [group for group in SHARES if not (options.small and group == "compile")]
    groups = options.groups.split(",") if options.groups else usual
    if unknown := set(groups) - set(SHARES):
        parser.error(f"no such group: {', '.join(sorted(unknown))}")
    measure(asked, groups, options.json)


if __name__ == "__main__":
    main()
