"""Rendering on several machines: measured with 0, 1 and 2 workers here, foretold for more.

    python -m benchmarks.cluster FILM... [--model linear] [--workers 1 2]

Every worker has one thread, so two of them are two machines with one core each. The first row is a
rendering without a cluster, on one thread, too. The times of all segments give what a picture and a
start cost (a line through them); ``makespan`` then plays the same segments through on 2, 8 and 64
workers, and on episodes of 24 minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rtvfi.cluster.segments import makespan, segment_frames, split

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
EPISODE = 24 * 60 * 60
"""Pictures of 24 minutes at 60 a second."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


def start(*words: str) -> subprocess.Popen[bytes]:
    """A Python with these words, on one thread."""
    return subprocess.Popen(
        [sys.executable, "-P", *words],
        env=os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait_for(process: subprocess.Popen[bytes], words: bytes) -> None:
    """Until a process has said this."""
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    raise SystemExit(f"a process ended before it said {words.decode()}")


@contextmanager
def cluster(num_workers: int) -> Iterator[str]:
    """A scheduler with workers; its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"127.0.0.1:{port}"
    words = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    processes = [start("-m", "distributed.cli.dask_scheduler", *words)]
    try:
        wait_for(processes[0], b"Scheduler at")
        for _ in range(num_workers):
            processes.append(start("-m", "rtvfi", "worker", address))
            wait_for(processes[-1], b"waiting for work")
        yield address
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def rendered(films: list[str], model: str, num_workers: int) -> tuple[float, list[list[float]]]:
    """Seconds, and (pictures, seconds on its worker) of every segment."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        words = [*films, "-o", folder, "--model", model, "--style", "plain", "--multi", "2"]
        words += ["--device", "cpu", "--encoder", "libx264", "--preset-encoder", "veryfast"]
        words += ["--log-file", str(log)]

        def run(*more: str) -> float:
            began = time.monotonic()
            process = start("-m", "rtvfi", "render", *words, *more)
            _, said = process.communicate()
            if process.returncode:
                raise SystemExit(said.decode())
            return time.monotonic() - began

        if num_workers == 0:
            return run(), []
        with cluster(num_workers) as address:
            seconds = run("--on", address)
        found = re.findall(r"segment of (\d+) pictures: ([\d.]+) s", log.read_text())
        return seconds, [[float(number) for number in row] for row in found]


def main() -> None:
    """Measure, and print tables."""
    parser = argparse.ArgumentParser(description="Rendering with several workers.")
    parser.add_argument("films", nargs="+")
    parser.add_argument("--model", default="linear")
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    arguments = parser.parse_args()
    alone, _ = rendered(arguments.films, arguments.model, 0)
    print(f"without a cluster: {alone:.1f} s")
    rows: list[list[float]] = []
    for num_workers in arguments.workers:
        seconds, found = rendered(arguments.films, arguments.model, num_workers)
        foretold = makespan([took for _, took in found], num_workers)
        rows += found
        print(
            f"{num_workers} workers: {seconds:.1f} s ({alone / seconds:.2f} times as fast), "
            f"{len(found)} segments, foretold from their times {foretold:.1f} s"
        )
    frames, took = np.array(rows).T
    picture, begin = np.polyfit(frames, took, 1)
    print(
        f"a picture {1000 * picture:.1f} ms, a start {begin:.2f} s = {begin / picture:.1f} pictures"
    )
    print(f"load over the last minute: {os.getloadavg()[0]:.1f}")
    print("\n| workers | segment | these films, s | an episode of 24 minutes, s | times as fast |")
    print("|---|---|---|---|---|")
    for num_workers in (1, 2, 8, 64):
        length = segment_frames(EPISODE, num_workers, Fraction(60))
        parts = split(0, EPISODE, EPISODE, length)
        episode = [begin + picture * ((s.stop or EPISODE) - s.first) for s in parts]
        whole = makespan(episode, num_workers)
        same = makespan(list(took), num_workers)
        print(
            f"| {num_workers} | {length / 60:.0f} s | {same:.1f} | {whole:.0f} "
            f"| {picture * EPISODE / whole:.1f} |"
        )


if __name__ == "__main__":
    main()
