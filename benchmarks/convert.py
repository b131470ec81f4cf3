"""CPU milliseconds of every step between a decoded picture and the model, and back.

    python benchmarks/convert.py [SIZE ...]

SIZE is WIDTHxHEIGHT; 854x480 and 1920x1080 by default. One thread, so that the numbers add up;
pictures are noise, which no step is sensitive to. Nothing is written.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import torch

from rtvfi.bench.jobs import Size
from rtvfi.bench.pictures import film_info
from rtvfi.core.frame import PIXEL_FORMATS, ColorInfo, SourceFrame, StreamInfo
from rtvfi.stream.decode.planes import Packer
from rtvfi.stream.run.executors.convert import Converter
from rtvfi.stream.see.cuts import CutDetector

if TYPE_CHECKING:
    from collections.abc import Callable

WARM_UP = 3
REPEATS = 20


def cpu_ms(work: Callable[[], object]) -> float:
    """CPU time of one call, the mean of many."""
    for _ in range(WARM_UP):
        work()
    start = time.process_time()
    for _ in range(REPEATS):
        work()
    return (time.process_time() - start) / REPEATS * 1e3


def stream(width: int, height: int, pixel_format: str) -> StreamInfo:
    """A stream like most: limited range, chroma left, matrix by size."""
    info = film_info(Size(width, height))
    return replace(info, format=PIXEL_FORMATS[pixel_format], color=ColorInfo())


@torch.inference_mode()
def rows(info: StreamInfo) -> dict[str, float]:
    """The steps in the order of a frame's way."""
    rng = np.random.default_rng(0)
    payloads = [rng.integers(0, 4, info.payload_bytes, np.uint8) for _ in range(2)]
    decoded = av.VideoFrame(info.width, info.height, info.format.name)
    packer = Packer(info.format, (info.width, info.height), matrix=1, full_range=False)
    detector = CutDetector(info)
    frames = [SourceFrame(p, Fraction(0), Fraction(1, 24)) for p in payloads]
    repeat = SourceFrame(payloads[1].copy(), Fraction(0), Fraction(1, 24))
    converter = Converter(info, torch.device("cpu"), torch.float32)
    planes = converter.to_planes(payloads[0])
    rgb = converter.to_rgb(payloads[0])

    def repeated() -> None:
        detector.push(frames[1])
        detector.push(repeat)

    return {
        "pack a decoded frame": cpu_ms(lambda: packer.pack(decoded)),
        "cut detector, new picture": cpu_ms(lambda: [detector.push(f) for f in frames]) / 2,
        "cut detector, repeated picture": cpu_ms(repeated) / 2,
        "payload to planes": cpu_ms(lambda: converter.to_planes(payloads[0])),
        "payload to RGB": cpu_ms(lambda: converter.to_rgb(payloads[0])),
        "RGB to planes": cpu_ms(lambda: converter.from_rgb(rgb)),
        "planes to payload": cpu_ms(lambda: converter.from_planes(planes)),
    }


def main() -> None:
    """Print one table per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sizes", nargs="*", default=["854x480", "1920x1080"], metavar="SIZE")
    torch.set_num_threads(1)
    for size in parser.parse_args().sizes:
        width, height = map(int, size.split("x"))
        table = {name: rows(stream(width, height, name)) for name in PIXEL_FORMATS}
        print(f"{size:<32}" + "".join(f"{name:>13}" for name in table))
        for step in next(iter(table.values())):
            print(f"{step:<32}" + "".join(f"{column[step]:13.2f}" for column in table.values()))
        print()


if __name__ == "__main__":
    main()
