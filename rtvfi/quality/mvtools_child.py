"""MVTools at work in a Python that has VapourSynth: run as a file, imports nothing of rtvfi.

Reads from standard input, as often as there are requests: a line of JSON with width, height, count
and mode, then ``count`` pictures as planar 4:2:0 of 8 bits. Answers with a line of JSON that has
the wall and CPU seconds of one made picture, then the picture half way between the middle two.
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
    """What is asked; ``count`` pictures follow."""

    width: int
    height: int
    count: int
    mode: str


def clip(pictures: list[NDArray[np.uint8]], width: int, height: int) -> vs.VideoNode:
    """A clip of 25 frames a second whose frames are these pictures."""
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
    """Twice the frames; blocks of 16 pixels, refined to 8 with quarter overlap unless ``fast``."""
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
    # thresholds out of reach: no pair counts as a cut
    common = {"num": 50, "den": 1, "ml": 100, "thscd1": 10000, "thscd2": 255}
    if mode == "flow":
        return mv.FlowFPS(source, pyramid, back, forth, mask=2, **common)
    return mv.BlockFPS(source, pyramid, back, forth, mode=3, **common)


def answer(request: Request, pictures: list[NDArray[np.uint8]]) -> tuple[dict[str, float], bytes]:
    """Times and the picture."""
    width, height, count = request["width"], request["height"], request["count"]
    out = doubled(clip(pictures, width, height), request["mode"])
    wall, cpu = time.perf_counter(), time.process_time()
    frame = out.get_frame(count - 1)
    times = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return times, b"".join(np.ascontiguousarray(frame[plane]).tobytes() for plane in range(3))


def main() -> None:
    """Answers until the input ends."""
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
