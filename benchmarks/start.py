"""How long until the first picture, and until the picture of a seek: plain `mpv`, `rtvfi play` with
the engine inside and apart, alternating, in one run.

    PYTHONPATH=. .venv/bin/python -P benchmarks/start.py FILE [--runs 5] [--model cel dis]

A script in mpv tells of each first picture and of the picture after each seek, so all three are
measured by the same clock: from the start of the process to the first picture, and from the seek to
its picture. The first interpolated picture is what our own report says. There is no window
unless one is named (`xvfb-run -a ... --vo x11`), and no sound. CPU is what the
process and its children used from their start to the first picture, by the kernel's clock.
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
from collections import defaultdict
from pathlib import Path
from typing import Final

_SEEKS: Final = ("0.7", "0.2", "0.5", "0.1", "0.8")
"""Parts of the film."""
_PROBE: Final = """
local out = assert(io.open(os.getenv("PROBE"), "w"))
local parts = {%s}
local number, begun, is_first = 0, nil, true
local function say(...)
    out:write(table.concat({...}, " "), "\\n")
    out:flush()
end
local function seek()
    number = number + 1
    if number > #parts then
        mp.command("quit")
        return
    end
    begun = mp.get_time()
    mp.commandv("seek", parts[number] * mp.get_property_number("duration"), "absolute+exact")
end
mp.register_event("playback-restart", function()
    if is_first then
        is_first = false
        say("first")
        mp.add_timeout(%g, seek)
    elseif begun then
        say("seek", (mp.get_time() - begun) * 1000)
        begun = nil
        mp.add_timeout(0.5, seek)
    end
end)
"""
Figures = dict[str, list[float]]

_WAYS: Final = ("mpv", "inside", "apart")


def command_of(way: str, file: str, model: str, script: Path, options: list[str]) -> list[str]:
    """The command line of a row."""
    if way == "mpv":
        given = [f"--{option}" for option in options]
        return ["mpv", "--no-config", "--really-quiet", *given, f"--script={script}", file]
    words = [sys.executable, "-P", "-m", "rtvfi", "play", file, "--model", model, "--engine", way]
    for option in (*options, "config=no", f"script={script}"):
        words += ["--mpv", option]
    return words


def seconds_of(pid: int) -> float:
    """Processor time of a process, its children and what they have started."""
    used, tick = 0.0, os.sysconf("SC_CLK_TCK")
    family = [pid]
    for one in family:
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            used += sum(map(int, fields[11:15])) / tick
            for task in Path(f"/proc/{one}/task").iterdir():
                family += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return used


def run(command: list[str], report: Path | None, pipe: Path) -> Figures:
    """Milliseconds of everything that is measured in one run."""
    found: Figures = defaultdict(list)
    if report is not None:
        command = [*command, "--report", str(report)]
    begin = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, "PROBE": str(pipe), "RTVFI_CONFIG": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with pipe.open() as lines:
        for line in lines:
            name, *value = line.split()
            if name == "first":
                found["first picture"].append((time.perf_counter() - begin) * 1e3)
                found["CPU until then"].append(seconds_of(process.pid) * 1e3)
            else:
                found["seek"].append(float(value[0]))
    process.wait()
    if report is not None and report.exists():
        smooth = json.loads(report.read_text())["start_ms"]["first_interpolated"]
        found["first interpolated"] += [] if smooth is None else [smooth]
        report.unlink()
    return found


def measured(arguments: argparse.Namespace, model: str, folder: Path) -> dict[str, Figures]:
    """Everything that is measured of a model, by the ways of the pictures."""
    script, pipe = folder / "probe.lua", folder / "pipe"
    script.write_text(_PROBE % (", ".join(_SEEKS), arguments.wait))
    os.mkfifo(pipe)
    found: dict[str, Figures] = {way: defaultdict(list) for way in arguments.ways}
    for _ in range(arguments.runs):
        for way in arguments.ways:
            options = [f"vo={arguments.vo}", "ao=null"]
            words = command_of(way, arguments.file, model, script, options)
            report = None if way == "mpv" else folder / "report.json"
            for what, values in run(words, report, pipe).items():
                found[way][what] += values
    return found


def main() -> None:
    """A table a model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", nargs="+", default=["dis"])
    parser.add_argument("--ways", nargs="+", choices=_WAYS, default=_WAYS)
    parser.add_argument("--wait", type=float, default=2.0, help="seconds before the first seek")
    parser.add_argument("--vo", default="null")
    arguments = parser.parse_args()
    for model in arguments.model:
        with tempfile.TemporaryDirectory() as name:
            found = measured(arguments, model, Path(name))
        load = os.getloadavg()[0]
        print(f"{model}, {arguments.runs} runs each, load {load:.2f}; ms: median (worst)")
        for what in ("first picture", "first interpolated", "seek", "CPU until then"):
            cells = [f"{what:20}"]
            for way in arguments.ways:
                values = found[way].get(what)
                said = f"{statistics.median(values):.0f} ({max(values):.0f})" if values else "-"
                cells.append(f"{way} {said:14}")
            print(" ".join(cells), flush=True)


if __name__ == "__main__":
    main()
