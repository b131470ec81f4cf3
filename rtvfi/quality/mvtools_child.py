"""Runs MVTools in a Python that has VapourSynth. Run as a file; imports nothing from rtvfi.

Reads requests from stdin: a line of JSON with width, height, count and mode, then ``count``
pictures in 8-bit planar 4:2:0. Answers each with a line of JSON with the wall and CPU seconds of
one interpolated picture, then the picture half way between the middle two.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, TypedDict

import numpy as np
import vapoursynth as vs

if TYPE_CHECKING:
    from numpy.typing import NDArray

MODES = ("flow", "block", "fast")


class Request(TypedDict):
    """A request; ``count`` pictures follow it."""

    width: int
    height: int
    count: int
    mode: str


def clip(pictures: list[NDArray[np.uint8]], width: int, height: int) -> vs.VideoNode:
    """A clip with these pictures at 25 frames a second."""
    blank = vs.core.std.BlankClip(
        width=width,
        height=height,
        format=vs.YUV420P8,
        length=len(pictures),
        fpsnum=25,
        fpsden=1,
        keep=True,
    )
    half = (width // 2) * (height // 2)
    luma = width * height

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        made, data = f.copy(), pictures[n]
        np.copyto(np.asarray(made[0]), data[:luma].reshape(height, width))
        for plane, start in ((1, luma), (2, luma + half)):
            chroma = data[start : start + half].reshape(height // 2, width // 2)
            np.copyto(np.asarray(made[plane]), chroma)
        return made

    return vs.core.std.ModifyFrame(blank, blank, fill)


def doubled(source: vs.VideoNode, mode: str) -> vs.VideoNode:
    """The clip at twice the rate; blocks of 16 pixels, refined to 8 unless ``mode`` is fast."""
    mv = vs.core.mv
    is_fast = mode == "fast"
    pyramid = mv.Super(source, pel=1 if is_fast else 2, hpad=16, vpad=16)
    search: dict[str, int | bool] = {"blksize": 16, "truemotion": True}
    search |= {"overlap": 0, "search": 4} if is_fast else {"overlap": 8, "search": 3, "dct": 0}
    if not is_fast:
        search["searchparam"] = 3
    back, forth = (mv.Analyse(pyramid, isb=isb, **search) for isb in (True, False))
    if not is_fast:
        finer = {"blksize": 8, "overlap": 4, "thsad": 200}
        back, forth = (mv.Recalculate(pyramid, vectors, **finer) for vectors in (back, forth))
    # thresholds that cannot be reached, so that no pair counts as a cut
    common = {"num": 50, "den": 1, "ml": 100, "thscd1": 10000, "thscd2": 255}
    if mode == "flow":
        return mv.FlowFPS(source, pyramid, back, forth, mask=2, **common)
    return mv.BlockFPS(source, pyramid, back, forth, mode=3, **common)


def answer(request: Request, pictures: list[NDArray[np.uint8]]) -> tuple[dict[str, float], bytes]:
    """The times and the raw picture that answer a request."""
    width, height, count = request["width"], request["height"], request["count"]
    out = doubled(clip(pictures, width, height), request["mode"])
    wall, cpu = time.perf_counter(), time.process_time()
    frame = out.get_frame(count - 1)
    times = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return times, b"".join(np.ascontiguousarray(frame[plane]).tobytes() for plane in range(3))


def main() -> None:
    """Answer requests until stdin ends."""
    vs.core.num_threads = 1
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while line := source.readline():
        request: Request = json.loads(line)
        size = request["width"] * request["height"] * 3 // 2
        pictures = [np.frombuffer(source.read(size), np.uint8) for _ in range(request["count"])]
        times, picture = answer(request, pictures)
        out.write(json.dumps(times).encode() + b"\n" + picture)
        out.flush()


if __name__ == "__main__":
    main()
