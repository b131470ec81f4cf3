"""Hours of playing and hundreds of seeks, as fast as they go: nothing may grow, no frame be lost.

    PYTHONPATH=. .venv/bin/python tests/soak.py --hours 2 --seeks 300

The film is tiny and the player is simulated, everything between them is what ``play`` runs: the
source, the rings, a model, the virtual file, and a recorder on the side.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import resource
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from fakes import FakePlayhead, offset_of

from rtvfi.core.frame import PIXEL_FORMATS
from rtvfi.core.options import EncodeOptions, SourceOptions, StreamOptions
from rtvfi.core.rates import Grid
from rtvfi.engine.build import Place, pipeline_for, view
from rtvfi.engine.model_host import ModelHost
from rtvfi.stream.record.assemble import Viewed
from rtvfi.stream.record.recorder import Recorder

if TYPE_CHECKING:
    from rtvfi.core.frame import OutputFrame
    from rtvfi.engine.build import Viewing

SIZE = (64, 48)
RATE = Fraction(24)


@dataclass
class Findings:
    """What a soak was like."""

    hours: float = 0.0
    num_seeks: int = 0
    num_shown: int = 0
    wall_seconds: float = 0.0
    samples: list[tuple[float, int, int, int]] = field(default_factory=list)
    """Simulated seconds, bytes in use, threads, open files."""
    peak_ring: int = 0
    most_ring: int = 0
    num_watched: int = 0
    """Different frames that went to the recorder."""
    num_recorded: int = 0
    said: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """What the recorder says; that it holds up a player in such a hurry is no news."""
        if "cannot keep up" not in text:
            self.said.append(text)

    @property
    def slope(self) -> float:
        """Bytes in use gained per simulated hour, once everything is warm."""
        warm = np.array(self.samples[len(self.samples) // 4 :])
        return float(np.polyfit(warm[:, 0] / 3600, warm[:, 1], 1)[0])

    def report(self) -> str:
        """Lines for a person."""
        used = [sample[1] >> 20 for sample in self.samples]
        threads, files = ({s[k] for s in self.samples[1:]} for k in (2, 3))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        return "\n".join(
            (
                f"played      {self.hours:.2f} h, {self.num_shown} frames, {self.num_seeks} seeks, "
                f"in {self.wall_seconds:.0f} s",
                f"memory      {used[0]} MiB at first, {used[-1]} at the end, {most} at most, "
                f"{self.slope / 1e6:+.2f} MB an hour",
                f"threads     {min(threads)} to {max(threads)}",
                f"open files  {min(files)} to {max(files)}",
                f"ring        {self.peak_ring} frames at most, {self.most_ring} allowed",
                f"recording   {self.num_recorded} of {self.num_watched} frames",
                *(f"said        {line}" for line in self.said),
            )
        )


def write_film(path: Path, seconds: int) -> None:
    """A film that moves all the time, with sound, as small as it can be."""
    width, height = SIZE
    y, x = np.mgrid[:height, :width]
    pictures = []
    for phase in range(0, 256, 8):
        rgb = np.stack([(x * 4 + phase) % 256, (y * 5) % 256, (x + y + phase) % 256], -1)
        frame = av.VideoFrame.from_ndarray(rgb.astype(np.uint8), format="rgb24")
        pictures.append(frame.reformat(format="yuv420p"))
    with av.open(str(path), "w") as out:
        options = {"preset": "ultrafast", "g": "48", "crf": "30"}
        stream: Any = out.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        sound: Any = out.add_stream("mp2", rate=48000, layout="mono", options={"b": "48000"})
        silence = np.zeros((1, 1152), np.int16)
        num_pieces = 0
        for number in range(round(seconds * RATE)):
            frame = pictures[number % len(pictures)]
            frame.pts, frame.time_base = number, 1 / RATE
            out.mux(stream.encode(frame))
            while num_pieces * 1152 < number * 2000:
                piece = av.AudioFrame.from_ndarray(silence, format="s16", layout="mono")
                piece.sample_rate, piece.pts = 48000, num_pieces * 1152
                out.mux(sound.encode(piece))
                num_pieces += 1
        out.mux(stream.encode(None))
        out.mux(sound.encode(None))


def _in_use() -> tuple[int, int, int]:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counting is all
    return pages * resource.getpagesize(), threading.active_count(), files


class _Reader:
    """mpv's demuxer thread: reads records, seeks, and never looks at them."""

    def __init__(self, viewing: Viewing) -> None:
        self._stream = viewing.stream
        payload = PIXEL_FORMATS["yuv420p"].payload_bytes(*SIZE)
        self._record = payload + viewing.stream._file.mkv.prefix_bytes
        self._buffer = ctypes.create_string_buffer(self._record)
        self.num_records = viewing.stream._file.mkv.num_records

    def seek(self, record: int) -> None:
        self._stream.seek(offset_of(self._stream._file.mkv, record))

    def read(self) -> bool:
        """One record; False at the end."""
        left = self._record
        while left:
            count = self._stream.read_into(ctypes.addressof(self._buffer), left)
            if not count:
                return False
            left -= count
        return True


def soak(folder: Path, hours: float, num_seeks: int, seed: int = 0, model: str = "dis") -> Findings:
    """Play for so many hours of film, seeking at random now and then.

    Args:
        folder: for film and recording.
        hours: simulated.
        num_seeks: spread over them.
        seed: of the places.
        model: what makes the pictures.
    """
    film, found, rng = folder / "film.mkv", Findings(), random.Random(seed)
    write_film(film, max(20, round(hours * 3600)))
    stream = StreamOptions(style="plain")
    # The model has all the time in the world, and the player takes whatever there is.
    late, early = FakePlayhead(-1e9), FakePlayhead(1e9)
    pipeline = pipeline_for(str(film), SourceOptions(hwaccel="none", threads=1), stream, late)
    info = pipeline.open()
    assert info.duration is not None
    grid = Grid(info.start, 1 / (2 * RATE))
    encode = EncodeOptions(encoder="ffv1")
    recorder = Recorder.open(folder / "o.mkv", (str(film),), encode, found.say)
    recording = recorder.recording(
        Viewed(source=str(film), info=info, grid=grid, zero=info.start, has_model=True)
    )
    watched = np.zeros(grid.first_at_or_after(info.start + info.duration) + 1, bool)

    def tap(frame: OutputFrame, is_final: bool) -> None:
        watched[frame.index] = True
        recording.tap(frame, is_final)

    place = Place(2 * RATE, info.start, info.duration, tap)
    viewing = view(pipeline, str(film), info, stream, place, early)
    viewing.stream._clock = lambda: time.monotonic() * 1e3  # no waiting for a stock of frames
    pipeline.use(ModelHost("cpu", stream).executor(model, viewing))
    began = time.monotonic()
    _play(viewing, found, rng, num_seeks)
    pipeline.close()
    files = recorder.close()["files"]
    found.num_watched, found.num_recorded = int(watched.sum()), sum(f["frames"] for f in files)
    found.wall_seconds = time.monotonic() - began
    found.hours = found.num_shown / float(2 * RATE) / 3600
    found.num_seeks = num_seeks
    for file in files:
        with av.open(file["path"]) as made:
            count = sum(1 for packet in made.demux(video=0) if packet.size)
        if count != file["frames"]:
            found.said.append(f"{file['path']} holds {count} of {file['frames']} frames")
    return found


def _play(viewing: Viewing, found: Findings, rng: random.Random, num_seeks: int) -> None:
    reader, pipeline = _Reader(viewing), viewing.pipeline
    total = reader.num_records
    length = total // (num_seeks + 1)
    found.most_ring = pipeline._outputs.max_items
    for _ in range(num_seeks + 1):
        reader.seek(rng.randrange(total - length) if found.num_shown else 0)
        for _ in range(length):
            if not reader.read():
                break
            found.num_shown += 1
            found.peak_ring = max(found.peak_ring, pipeline.statistics().num_ready)
        found.samples.append((found.num_shown / float(2 * RATE), *_in_use()))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="play for hours")
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--seeks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", default="dis")
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory(prefix="rtvfi-soak-") as folder:
        found = soak(
            Path(folder), arguments.hours, arguments.seeks, arguments.seed, arguments.model
        )
    sys.stdout.write(found.report() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
