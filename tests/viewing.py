"""A viewer without a player: frames of a clip into a recorder."""

from __future__ import annotations

import shutil
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from clips import FILM

from rtvfi.core.frame import Kind, OutputFrame, SourceFrame
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.core.rates import Grid
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.record.assemble import Viewed
from rtvfi.stream.record.recorder import Recorder, Recording

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.stream.record.recorder import Summary
    from rtvfi.stream.write.writer import Writer


class Viewer:
    """Plays a clip into a recorder: frames are the source's, the seeks a test's."""

    def __init__(self, source: Path, target: Path, **options: Any) -> None:
        opened = open_source(str(source), SourceOptions(hwaccel="none"))
        self.payloads: list[NDArray[np.uint8]] = []
        while isinstance(frame := opened.read(), SourceFrame):
            self.payloads.append(frame.payload)
        opened.close()
        self.grid = Grid(Fraction(0), 1 / FILM)
        self.said: list[str] = []
        has_cadence = options.pop("has_cadence", False)
        extra = {name: options.pop(name) for name in ("force", "filler") if name in options}
        encode = EncodeOptions(**{"encoder": "libx264", **options})
        self.recorder = Recorder.open(target, (str(source),), encode, self.said.append, **extra)
        viewed = Viewed(
            source=str(source),
            info=opened.info,
            grid=self.grid,
            zero=Fraction(0),
            has_model=True,
            has_cadence=has_cadence,
        )
        self.recording: Recording = self.recorder.recording(viewed)
        self.epoch = 0

    def play(self, start: int, stop: int, rough: tuple[int, ...] = ()) -> None:
        """Seek to ``start`` and play up to ``stop``."""
        self.epoch += 1
        for n in range(start, stop):
            frame = OutputFrame(self.payloads[n], n, self.grid.pts(n), Kind.COPY, self.epoch)
            self.recording.tap(frame, n not in rough)

    def fill(self, _viewed: Viewed, start: int, stop: int, writer: Writer) -> None:
        """A filler."""
        for n in range(start, stop):
            assert writer.put(OutputFrame(self.payloads[n], n, self.grid.pts(n), Kind.COPY))

    def close(self) -> Summary:
        """End the viewing; the recorder's report."""
        return self.recorder.close()


def killed(viewer: Viewer, source: Path, target: Path) -> None:
    """Copy what is on the disk now to ``target`` and its folder, as a kill would leave it."""
    segments = viewer.recording._segments
    for segment in segments[:-1]:
        segment.writer.finish()
    newest = segments[-1].writer
    while newest.statistics.num_frames < segments[-1].next - segments[-1].first:
        assert newest.error is None
    shutil.copy(source, target)
    shutil.copytree(f"{source}.rtvfi", f"{target}.rtvfi")
    viewer.close()
