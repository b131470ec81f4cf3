"""Rendering end to end: overlapped, against the same parts in one loop, against ffmpeg's filters.

    python -m benchmarks.render [--sizes 1280x720 ...] [--models linear cel] [--seconds 12]

All in one run on one generated film, libx264 veryfast, twice the rate; models with weights and
minterpolate get a quarter of it. "bound" is what no overlapping can beat: the slowest stage of the
plain loop, or all CPU seconds over all cores. Where others use the machine, ``chrt -r 1`` keeps
them out of the numbers.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import av

from benchmarks.load import Load
from rtvfi.core.frame import SourceFrame
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.core.rates import Grid
from rtvfi.engine.device import keep_freed_memory
from rtvfi.engine.model_host import ModelHost
from rtvfi.render.render import render
from rtvfi.settings.config import RenderOptions
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.plan.batch import batches
from rtvfi.stream.plan.planner import Planner
from rtvfi.stream.run.executors.executor import carry_out
from rtvfi.stream.run.executors.pictures import Pictures
from rtvfi.stream.see.cuts import CutDetector
from rtvfi.stream.write.encoders.encode import open_encoder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from fractions import Fraction

    from rtvfi.core.frame import StreamInfo

ENCODE = EncodeOptions(encoder="libx264", preset="veryfast")
STREAM = StreamOptions(style="plain")
SOURCE = SourceOptions(hwaccel="none")
FILTERS = ("framerate=fps=48000/1001", "minterpolate=fps=48000/1001:mi_mode=mci")


def film(path: Path, size: str, seconds: float) -> None:
    """A moving test picture at film rate."""
    command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i"]
    command += [f"testsrc2=s={size}:r=24000/1001:d={seconds}", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-preset", "veryfast", str(path)], check=True)


@contextmanager
def measured(stage: str, wall: dict[str, float]) -> Iterator[None]:
    """Add the wall time of a block."""
    begin = time.perf_counter()
    yield
    wall[stage] = wall.get(stage, 0.0) + time.perf_counter() - begin


@dataclass(frozen=True)
class _Stream:
    """What ``ModelHost`` asks of a stream."""

    info: StreamInfo
    target_rate: Fraction


def plain_loop(source_path: Path, target: Path, models: ModelHost, model: str) -> dict[str, float]:
    """The same parts, one after the other; wall seconds per stage."""
    wall: dict[str, float] = {}
    source = open_source(str(source_path), SOURCE)
    info = source.info
    grid = Grid(info.start, 1 / (2 * info.source_rate))
    executor = models.executor(model, _Stream(info, 1 / grid.step))  # type: ignore[arg-type]
    planner, cuts = Planner(grid, None, 1 / info.source_rate), CutDetector(info)
    frames = Pictures()
    with av.open(str(target), "w") as out:
        encoder = open_encoder(out, info, 1 / grid.step, ENCODE)
        is_open = True
        while is_open:
            with measured("decode", wall):
                frame = source.read()
            is_open = isinstance(frame, SourceFrame)
            with measured("cuts", wall):
                found = cuts.push(frame) if isinstance(frame, SourceFrame) else cuts.flush()
            actions = []
            for seen in found:
                frames.add((0, seen.stamp.index), seen.payload)
                actions += planner.push(seen.stamp)
            actions += [] if is_open else planner.flush(None)
            for batch in batches(actions):
                with measured("network", wall):
                    made = carry_out(executor, batch, frames)
                for index in sorted(made):
                    with measured("encode", wall):
                        packets = encoder.encode(made[index], index)
                    for packet in packets:
                        out.mux(packet)
            needed = planner.needed()
            frames.keep(needed)
            executor.keep(needed)
        with measured("encode", wall):
            for packet in encoder.flush():
                out.mux(packet)
    source.close()
    return wall


def ffmpeg(source: Path, target: Path, graph: str) -> None:
    """ffmpeg doing it its way."""
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-vf", graph]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "17", str(target)]
    subprocess.run(command, check=True)


def _sorted(threads: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(threads.items(), key=lambda item: -item[1])


def line(name: str, frames: int, load: Load, rest: str = "") -> None:
    """One row."""
    print(
        f"  {name:<22} {frames / load.wall:7.1f} fps {load.wall:7.2f} s wall {load.cpu:7.2f} s CPU"
        f"  {rest}",
        flush=True,
    )


def compare(source: Path, folder: Path, model: str) -> None:
    """Plain loop and overlapped rendering of one film with one model."""
    target = folder / "o.mkv"
    models = ModelHost("cpu", STREAM)
    with av.open(str(source)) as opened:
        frames = 2 * sum(bool(p.size) for p in opened.demux(video=0))
    with Load() as load:
        stages = plain_loop(source, target, models, model)
    text = ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages.items())
    line(f"{model}: one loop", frames, load, text)
    options = RenderOptions(
        files=(str(source),),
        output=target,
        model=model,
        device="cpu",
        fps="2x",
        stream=STREAM,
        source=SOURCE,
        encode=ENCODE,
        force=True,
    )
    with Load() as load:
        render(options)
    bound = max(*stages.values(), load.cpu / (os.cpu_count() or 1))
    line(
        f"{model}: overlapped", frames, load, f"bound {bound:.2f} s, {load.wall / bound:.2f} of it"
    )
    shares = ", ".join(f"{name} {s / load.wall:.0%}" for name, s in _sorted(load.threads))
    print(f"    load of a core: {shares}")


def warm_up() -> None:
    """What happens once in the life of a program is not measured: torch, tables, encoder."""
    with tempfile.TemporaryDirectory() as name:
        source = Path(name) / "warm.mkv"
        film(source, "320x180", 0.5)
        plain_loop(source, Path(name) / "o.mkv", ModelHost("cpu", STREAM), "linear")


def main() -> None:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=["1280x720", "1920x1080"])
    parser.add_argument("--models", nargs="+", default=["linear", "cel"])
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--no-minterpolate", action="store_true")
    arguments = parser.parse_args()
    keep_freed_memory()
    warm_up()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in arguments.sizes:
            print(f"{size}, {arguments.seconds:g} s, {os.cpu_count()} cores")
            source, part = folder / f"{size}.mkv", folder / f"{size}-part.mkv"
            film(source, size, arguments.seconds)
            film(part, size, arguments.seconds / 4)
            for model in arguments.models:
                compare(source if model in ("linear", "copy") else part, folder, model)
            for graph in FILTERS[: 1 if arguments.no_minterpolate else 2]:
                name = graph.partition("=")[0]
                is_slow = name == "minterpolate"
                seconds = arguments.seconds / 4 if is_slow else arguments.seconds
                with Load() as load:
                    ffmpeg(part if is_slow else source, folder / "f.mkv", graph)
                line(f"-vf {name}", round(seconds * 48000 / 1001), load)


if __name__ == "__main__":
    main()
