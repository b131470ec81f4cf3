"""Everything but conversion and network: file, decoder, rings, virtual file, libmpv with no window.

    PYTHONPATH=. .venv/bin/python benchmarks/plumbing.py [--seconds 10] [--sizes 1920x1080]

Plays a generated clip with the model "copy" as fast as it goes (mpv untimed, no sound) and prints
output frames per second, processor time per output frame, and where it goes. Every row is its own
process. With `--ways`, instead, the engine inside against the engine apart, alternating: processor
time of all processes per output frame, from the difference between a long and a short run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path


def make_clip(folder: Path, size: str, pixels: str, seconds: int) -> Path:
    """24 fps of moving test picture as H.264."""
    path = folder / f"{size}-{pixels}.mkv"
    if not path.exists():
        source = f"testsrc2=s={size}:r=24:d={seconds}"
        command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", pixels]
        command += ["-c:v", "libx264", "-preset", "fast", "-crf", "20", "-g", "48", str(path)]
        subprocess.run(command, check=True)
    return path


def measure(path: str) -> dict[str, object]:
    """Play one file in this process."""
    from rtvfi.player import Player
    from rtvfi.settings.config import play_options, resolve_config

    settings = {"model": "copy", "fps": "60", "mpv.vo": "null", "mpv.ao": "null"}
    settings |= {"mpv.untimed": "yes", "mpv.audio": "no", "mpv.config": "no"}
    player = Player(play_options(resolve_config(settings, preset="default"), (path,)))
    begin: list[tuple[float, float]] = []

    def processor_time() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    attach = player._attach  # the clock starts when mpv has opened the file

    def timed_attach() -> None:
        begin.append((time.perf_counter(), processor_time()))
        attach()

    player._attach = timed_attach  # type: ignore[method-assign]
    code = player.run()
    wall = time.perf_counter() - begin[0][0]
    processor = processor_time() - begin[0][1]
    report = player._report.as_dict()
    return {"code": code, "wall": wall, "processor": processor, **report}


_SHORT, _LONG = 1, 7
"""Seconds of film."""


def used(clip: Path, way: str, seconds: int) -> float:
    """Processor time of playing so much of a clip, in all processes."""
    words = [sys.executable, "-P", "-m", "rtvfi", "play", str(clip), "--engine", way]
    words += ["--model", "copy", "--fps", "60", "--device", "cpu", "--hwaccel", "none"]
    options = ("vo=null", "ao=null", "untimed=yes", "audio=no", "config=no", f"end={seconds}")
    for option in options:
        words += ["--mpv", option]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, "RTVFI_CONFIG": ""})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def compare(clip: Path, ways: list[str], runs: int) -> str:
    """A row: CPU ms a frame by the ways of the pictures, median and all."""
    found: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            seconds = used(clip, way, _LONG) - used(clip, way, _SHORT)
            found[way].append(seconds / ((_LONG - _SHORT) * 60) * 1e3)
    return "; ".join(
        f"{way} {statistics.median(values):.2f} ({', '.join(f'{v:.2f}' for v in sorted(values))})"
        for way, values in found.items()
    )


def main() -> None:
    """Rows of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--sizes", nargs="+", default=["1920x1080"])
    parser.add_argument("--ways", nargs="+", choices=("inside", "apart"), default=[])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one)))
        return
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.2f}, {threading.active_count()} thread"
    )
    print(
        f"{'clip':24} {'frames':>6} {'fps':>7} {'CPU ms/out':>10} {'decode ms':>9} {'serve ms':>8}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in arguments.sizes:
            for pixels in ("yuv420p", "yuv420p10le"):
                clip = make_clip(Path(folder), size, pixels, arguments.seconds)
                if arguments.ways:
                    row = compare(clip, arguments.ways, arguments.runs)
                    print(f"{size} {pixels}, CPU ms/out: {row}", flush=True)
                    continue
                done = subprocess.run(
                    [sys.executable, __file__, "--one", str(clip)],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                row = json.loads(done.stdout)
                asked, stages = row["frames"]["asked"], row["stages_ms"]
                print(
                    f"{size + ' ' + pixels:24} {asked:6} {asked / row['wall']:7.1f} "
                    f"{row['processor'] / asked * 1e3:10.2f} {stages['decode']['p50']:9.2f} "
                    f"{stages['serve']['p50']:8.2f}"
                )


if __name__ == "__main__":
    main()
