"""How long until the first picture: `rtvfi play` against plain `mpv`, alternating, in one run.

    PYTHONPATH=. .venv/bin/python benchmarks/start.py FILE [--runs 5]

No window, no sound. mpv is ended by a script at its first picture, so its figure includes leaving;
rtvfi's figure is what its own report says (process start to first picture).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_QUIT = 'mp.register_event("playback-restart", function() mp.command("quit") end)\n'


def plain_mpv(file: str, script: Path) -> float:
    """Milliseconds of one run of mpv."""
    begin = time.perf_counter()
    command = ["mpv", "--no-config", "--vo=null", "--ao=null", "--really-quiet"]
    subprocess.run([*command, f"--script={script}", file], check=True)
    return (time.perf_counter() - begin) * 1e3


def ours(file: str, folder: Path, model: str) -> tuple[float, float | None]:
    """Milliseconds to the first picture and to the first interpolated one."""
    report = folder / "report.json"
    command = [sys.executable, "-m", "rtvfi", "play", file, "--model", model]
    for option in ("vo=null", "ao=null", "config=no", "end=4"):
        command += ["--mpv", option]
    subprocess.run([*command, "--report", str(report)], check=True, capture_output=True)
    start = json.loads(report.read_text())["start_ms"]
    return start["first_picture"], start["first_interpolated"]


def main() -> None:
    """Medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="cel")
    arguments = parser.parse_args()
    plain, first, interpolated = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        script = folder / "quit.lua"
        script.write_text(_QUIT)
        for _ in range(arguments.runs):
            plain.append(plain_mpv(arguments.file, script))
            picture, smooth = ours(arguments.file, folder, arguments.model)
            first.append(picture)
            interpolated += [smooth] if smooth is not None else []
    print(f"{arguments.runs} runs each, load {os.getloadavg()[0]:.2f}; median (worst), ms")
    print(f"mpv, first picture              {statistics.median(plain):7.0f} ({max(plain):.0f})")
    print(f"rtvfi, first picture            {statistics.median(first):7.0f} ({max(first):.0f})")
    if interpolated:
        middle = statistics.median(interpolated)
        print(f"rtvfi, first interpolated shown {middle:7.0f} ({max(interpolated):.0f})")
    gap = statistics.median(first) - statistics.median(plain)
    print(f"rtvfi later than mpv by         {gap:7.0f}")


if __name__ == "__main__":
    main()
