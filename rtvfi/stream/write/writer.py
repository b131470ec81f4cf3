"""Writes pictures to a file, on a thread of its own: encoder, muxer, and copied audio and
subtitles.

Rendering and recording both use this. The thread owns the input and the output container; it takes
pictures from a bounded ring.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import av
import numpy as np

from rtvfi.core.errors import EncodeError, RtvfiError
from rtvfi.core.frame import END, OutputFrame
from rtvfi.core.ring import Aborted, Ring
from rtvfi.stream.write.mux import OutputFile
from rtvfi.stream.write.pieces import coding, encoders_form, opened, packets
from rtvfi.stream.write.pngs import PngFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rtvfi.stream.decode.container import Packet
    from rtvfi.stream.write.encoders.encode import Encoder
    from rtvfi.stream.write.job import Job
    from rtvfi.stream.write.pieces import Coding

log = logging.getLogger(__name__)

RING_SECONDS: Final = 1
RING_BYTES: Final = 256 << 20


@dataclass(slots=True)
class WriterStatistics:
    """Progress of a writer; any thread may read it, only the writer's thread writes it."""

    encoder: str = ""
    num_frames: int = 0
    """Number of pictures written, including those copied from an older file."""
    encode_seconds: float = 0.0
    """Wall time spent in the encoder."""
    keys: list[int] = field(default_factory=list)
    """Numbers of the key frames written; the first is 0."""


class Writer:
    """Writes one file: ``put`` every picture in order, then call ``finish``.

    Args:
        job: describes the file.
        ended: called on the writer's thread when the file was ended well.
    """

    def __init__(self, job: Job, ended: Callable[[Writer], object] | None = None) -> None:
        self.job = job
        self._ended = ended
        self.statistics = WriterStatistics()
        rate = 1 / job.grid.step
        self._ring: Ring[OutputFrame] = Ring(
            max(8, round(rate * RING_SECONDS)), RING_BYTES, lambda f: f.payload.nbytes
        )
        self.error: RtvfiError | None = None
        """Why writing stopped early; None if it did not."""
        self._is_whole = False
        self._thread = threading.Thread(target=self._run, name="rtvfi-writer", daemon=True)
        self._thread.start()

    def put(self, frame: OutputFrame, timeout: float | None = None) -> bool:
        """Add the next picture, waiting while the ring is full.

        Returns:
            False if it was not added: the writer has stopped (``error`` says why), or ``timeout``
            seconds passed.
        """
        return self._ring.put(frame, 0, timeout)

    def finish(self, *, is_whole: bool = False) -> None:
        """Write the remaining pictures, finish the file and wait for that.

        Args:
            is_whole: the source's last picture was put, so audio and subtitles are copied to their
                own end.

        Raises:
            EncodeError: the file is not complete.
        """
        self._is_whole = is_whole
        self._ring.finish()
        self._thread.join()
        if self.error is not None:
            raise self.error

    def abort(self) -> None:
        """Drop the remaining pictures; the file is finished properly with those written."""
        self._ring.abort()
        self._thread.join()

    def begin_finish(self) -> None:
        """``finish`` without waiting for it; call ``finish`` later."""
        self._ring.finish()

    # ---- the writer's thread ----

    def _run(self) -> None:
        try:
            self._write()
            if self._ended is not None:
                self._ended(self)
        except RtvfiError as error:
            self.error = error
        except Exception as error:
            log.exception("the writer's thread failed")
            self.error = EncodeError(f'"{self.job.path}" is not complete: {error}')
        finally:
            self._ring.abort()

    def _write(self) -> None:
        job = self.job
        with OutputFile(job.path, job.container, job.timeline, job.info) as out:
            encoder = job.open_encoder(out.container)
            try:
                companion = job.companion()
                out.begin(encoder.stream, encoder.reorder, companion)
                self.statistics.encoder = encoder.name
                if job.carried is not None:
                    self._carry(out, *job.carried)
                self._encode_all(out, encoder)
            finally:
                encoder.close()

    def _carry(self, out: OutputFile, path: Path, count: int) -> None:
        taken = 0
        with opened(path) as source:
            if coding(source) != self._coding():
                raise EncodeError(
                    f'"{self.job.path}" was begun by another encoder, or another version of it',
                    "--force starts over",
                )
            as_encoded = encoders_form(source)
            for packet, number in packets(source, out.timeline):
                if taken == count:
                    break
                self._mux(out, as_encoded(packet), number)
                taken += 1
        if taken != count:
            raise EncodeError(f'"{path}" has changed while it was read')
        self.statistics.num_frames = count

    def _coding(self) -> Coding:
        """(codec, headers) of this encoder, found by writing a file of one picture."""
        file = io.BytesIO()
        picture = np.zeros(self.job.info.payload_bytes, np.uint8)
        with av.open(file, "w", format=self.job.container) as trial:
            encoder = self.job.open_encoder(trial)
            try:
                for packet in (*encoder.encode(picture, 0), *encoder.flush()):
                    packet.stream = encoder.stream
                    trial.mux(packet)
            finally:
                encoder.close()
        file.seek(0)
        with av.open(file, "r") as made:
            return coding(made)

    def _encode_all(self, out: OutputFile, encoder: Encoder) -> None:
        statistics = self.statistics
        carried = number = statistics.num_frames
        pngs = PngFolder(self.job.pngs, self.job.info) if self.job.pngs else None
        for frame in self.taken(number):
            begin = time.perf_counter()
            if pngs is not None:  # before the file, so that after a kill no PNG is missing
                pngs.write(frame.payload, number)
            finished = encoder.encode(frame.payload, number - carried)
            statistics.encode_seconds += time.perf_counter() - begin
            for packet in finished:
                self._mux(out, packet, _number(packet, carried))
            number += 1
            statistics.num_frames = number
        begin = time.perf_counter()
        for packet in encoder.flush():
            self._mux(out, packet, _number(packet, carried))
        statistics.encode_seconds += time.perf_counter() - begin
        span, grid = self.job.span, self.job.grid
        end = grid.pts(self.job.first_index + number)
        out.copy(span.end if self._is_whole else end)

    def taken(self, number: int = 0) -> Iterator[OutputFrame]:
        """Yield the pictures that were put, from ``number`` on, until the end or ``abort``."""
        try:
            while (frame := self._ring.get(0)) is not END:
                assert isinstance(frame, OutputFrame)
                if frame.index != self.job.first_index + number:
                    raise RuntimeError(f"picture {frame.index} is out of order")
                shown = self.job.shown
                yield frame if shown is None else replace(frame, payload=shown(frame.payload))
                number += 1
        except Aborted:
            return

    def _mux(self, out: OutputFile, packet: Packet, number: int) -> None:
        out.copy(self.job.grid.pts(self.job.first_index + number))
        if packet.is_keyframe:
            self.statistics.keys.append(number)
        out.mux(packet, number)


def _number(packet: Packet, carried: int) -> int:
    assert packet.pts is not None
    return packet.pts + carried
