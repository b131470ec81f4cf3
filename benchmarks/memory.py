"""How much memory one picture of a method takes, beside the program itself.

    .venv/bin/python -m benchmarks.memory [--methods dis cel rife-4.25] [--sizes 1280x720 ...]

Every row is a process of its own on one thread of the processor: the method makes three pictures of
a pan as it does while playing, and the most that the process held is compared with what it held
when torch and the method were loaded. MB of 10^6 bytes.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SIZES = ("960x540", "1280x720", "1920x1080")
METHODS = ("linear", "dis", "cel", "rife-4.25")


def held(what: str) -> int:
    """``VmRSS`` (now) or ``VmHWM`` (at most) of this process, in kB."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(what):
            return int(line.split()[1])
    raise OSError("the system does not tell what a process holds")


def measure(method: str, size: str) -> None:
    """Print MB before, and at most beside that."""
    import torch

    from rtvfi.bench.jobs import Size
    from rtvfi.bench.pictures import film, film_info
    from rtvfi.engine.device import keep_freed_memory
    from rtvfi.quality.methods import method_of
    from rtvfi.quality.triplets import Picture, Triplet

    torch.set_num_threads(1)
    keep_freed_memory()
    width, height = map(int, size.split("x"))
    frames = film(film_info(Size(width, height)), 3)
    a, b, c = (Picture.from_bytes(frame.tobytes(), width, height) for frame in frames)
    made = method_of(method, torch.device("cpu"))
    before = held("VmRSS")
    made.cost(Triplet("pan", a, b, c))
    print(f"{before * 1024 / 1e6:.0f} {(held('VmHWM') - before) * 1024 / 1e6:.0f}")


def main() -> None:
    """See the top of the file."""
    parser = argparse.ArgumentParser(description="Memory of one picture.")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--sizes", nargs="+", default=SIZES)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(*options.one)
        return
    print(f"| method | program | {' | '.join(options.sizes)} |")
    print(f"|---|---:|{'---:|' * len(options.sizes)}")
    for method in options.methods:
        cells, before = [], ""
        for size in options.sizes:
            command = [sys.executable, "-m", "benchmarks.memory", "--one", method, size]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            before, taken = done.stdout.split()
            cells.append(taken)
        print(f"| {method} | {before} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
