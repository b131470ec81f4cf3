"""Writers for a folder of PNGs, or for an endless animation, instead of a film."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, cast

from rtvfi.stream.write.mux import container_format
from rtvfi.stream.write.pngs import PngFolder, RgbMaker
from rtvfi.stream.write.stills import ANIMATIONS, write_frames
from rtvfi.stream.write.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import av

    from rtvfi.stream.write.job import Job
    from rtvfi.stream.write.stills import Animation

log = logging.getLogger(__name__)

PNGS: Final = "png"
"""``Job.container`` of a folder of PNGs."""
_FASTEST_GIF: Final = 50
"""Pictures per second; players show faster gifs slower."""


def output_form(path: Path, *, is_folder: bool) -> str:
    """The form of an output path: ``PNGS``, a kind of animation, or FFmpeg's name of a container.

    Raises:
        UsageError: no known form has this extension.
    """
    if is_folder:
        return PNGS
    kind = path.suffix.lower().removeprefix(".")
    return kind if kind in ANIMATIONS else container_format(path)


def holds_pictures(form: str) -> bool:
    """Whether a form has neither audio nor key frames, so nothing is copied and nothing resumed."""
    return form == PNGS or form in ANIMATIONS


def open_writer(job: Job) -> Writer:
    """A writer for the job's form."""
    if job.container == PNGS:
        return PngWriter(job)
    return AnimationWriter(job) if job.container in ANIMATIONS else Writer(job)


class PngWriter(Writer):
    """Writes every picture to a PNG file of its own; the job's path is the folder."""

    def _write(self) -> None:
        self.statistics.encoder = PNGS
        folder = PngFolder(self.job.path, self.job.info)
        for number, frame in enumerate(self.taken()):
            begin = time.perf_counter()
            folder.write(frame.payload, number)
            self.statistics.encode_seconds += time.perf_counter() - begin
            self.statistics.num_frames = number + 1


class AnimationWriter(Writer):
    """Writes a gif, webp or apng, by the job's container."""

    def _write(self) -> None:
        job = self.job
        rate = 1 / job.grid.step
        kind = cast("Animation", job.container)
        self.statistics.encoder = kind
        if kind == "gif" and rate > _FASTEST_GIF:
            log.warning("a gif of %g fps is shown slower: --fps 50 is the most", float(rate))
        write_frames(job.path, self._pictures(), kind, rate)

    def _pictures(self) -> Iterator[av.VideoFrame]:
        rgb = RgbMaker(self.job.info, "rgb24")
        pngs = PngFolder(self.job.pngs, self.job.info) if self.job.pngs else None
        for number, frame in enumerate(self.taken()):
            if pngs is not None:
                pngs.write(frame.payload, number)
            yield rgb.make(frame.payload)
            self.statistics.num_frames = number + 1
