"""An executor of networks on a GPU that copies and computes at the same time (``--overlap on``).

Payloads are uploaded from pinned buffers and downloaded into others, in lanes of their own
(``lanes``). A byte after the codes reports NaN or infinity in the output. The next work is queued
before the host waits: while a picture is downloaded, the next pair is uploaded and computed. The
pictures equal those of ``Interpolation``, bit by bit.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import torch

from rtvfi.models.base import Planes
from rtvfi.models.fast import MOST_NEW
from rtvfi.stream.plan.batch import Retimes, Retimes3, needs, outputs_of, parted
from rtvfi.stream.plan.ladder import FULL
from rtvfi.stream.plan.planner import Copy, Mid
from rtvfi.stream.run.executors.base import around
from rtvfi.stream.run.executors.convert import Converter, is_finite
from rtvfi.stream.run.executors.executor import Made, StageTimes
from rtvfi.stream.run.executors.graphs import Conversions, Whole, whole
from rtvfi.stream.run.executors.interpolate import Interpolation, uploaded
from rtvfi.stream.run.executors.slots import Slots
from rtvfi.stream.run.executors.underway import Asked, Download, Home, Pass, Spans

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import Form
    from rtvfi.core.stamp import ImageId
    from rtvfi.models.base import Interpolator, Picture, Prepared
    from rtvfi.stream.plan.batch import Work
    from rtvfi.stream.run.executors.executor import Pending
    from rtvfi.stream.run.executors.lanes import Lanes
    from rtvfi.stream.run.executors.pictures import Pictures
    from rtvfi.stream.run.executors.slots import Slot
    from rtvfi.stream.run.executors.underway import Static

    Payload = NDArray[np.uint8]

T = TypeVar("T")

DEPTH: Final = 1
"""Pieces of work that may be running when another one is launched."""
_UPS: Final = 3
"""Number of upload buffers: the host is never further ahead."""
_TAIL: Final = 16
"""Bytes after the codes; the first is 0 if the output contains NaN or infinity."""


class Overlapped(Interpolation):
    """An ``executor.Overlapping``: it accepts work while earlier work is running.

    Args:
        model: as for ``Interpolation``, like ``info``, ``device`` and ``dtype``.
        info: the stream.
        device: the device of the model.
        dtype: float type of the model's pictures.
        lanes: the lanes of the device.
    """

    depth = DEPTH

    def __init__(
        self,
        model: Interpolator,
        info: StreamInfo,
        device: torch.device,
        dtype: torch.dtype,
        lanes: Lanes,
    ) -> None:
        super().__init__(model, info, device, dtype)
        self._lanes = lanes
        self._ups = Slots(lanes, _UPS)
        self._downs = Slots(lanes, DEPTH + 1)
        self._home = Home(info.payload_bytes, self._tiles, self._downs, self._times)
        self._copies: dict[ImageId, Download] = {}
        """Downloads, finished or not, of pictures made by passes."""
        self._spans = Spans()
        """Device work of the current piece of work."""
        self._recorded: Whole | None = None
        """Graphs of the full model."""

    # ---- the contract ----

    def run(self, work: Work, pictures: Pictures) -> dict[int, Payload]:
        """Carry out one piece of work."""
        return dict(self.launch(work, pictures).finish())

    @torch.inference_mode()
    def launch(self, work: Work, pictures: Pictures) -> Pending:
        """Start a piece of work, with the arguments of ``run``; results may be taken in any
        order.
        """
        self._spans = Spans()
        self._cache.trim(self.most_prepared, needs(work))
        if isinstance(work, Retimes | Retimes3) and len(work.outputs) > self.most_new:
            parts = [self.run(part, pictures) for part in parted(work, self.most_new)]
            return Made({index: payload for part in parts for index, payload in part.items()})
        if isinstance(work, Mid):
            self._cache.pictures[work.image] = self._middle(work, pictures)
            return Pass(self._spans, self._times)
        if isinstance(work, Copy):
            return self._copied(work, pictures)
        made = self._retimed(work, pictures)
        static = [self._static(around(output), pictures) for output in work.outputs]
        indices = [output.index for output in outputs_of(work)]
        return Asked(indices, self._downloading(made, static))

    def reset(self) -> None:
        """Free every picture, and abandon running downloads."""
        super().reset()
        self._copies.clear()
        while self._home.underway:
            self._home.underway[0].abandon()

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all pictures except these; running downloads are not affected."""
        super().keep(needed)
        for image in [i for i in self._copies if i not in needed]:
            del self._copies[image]

    def take_times(self) -> StageTimes:
        """Seconds per stage, by the device's clock, of all work finished since the last call."""
        # The object stays in use, because running work refers to it.
        taken = StageTimes(self._times.convert, self._times.model, self._times.download)
        self._times.convert = self._times.model = self._times.download = 0.0
        return taken

    # ---- work ----

    def _copied(self, work: Copy, pictures: Pictures) -> Pending:
        if work.image in pictures:
            return Made({work.index: pictures[work.image]})
        if work.image not in self._copies:
            static = [self._static((work.image,), pictures)]
            picture = self._cache.pictures[work.image]
            self._copies[work.image] = self._downloading(picture, static)
        return Asked([work.index], self._copies[work.image])

    def _retimed(self, work: Retimes | Retimes3, pictures: Pictures) -> Picture:
        """As in the base class; but pairs with a captured graph give codes, not pictures."""
        recorded = self._in_force
        if recorded is None or isinstance(work, Retimes3):
            return super()._retimed(work, pictures)
        ts = [float(output.t) for output in work.outputs]
        a, b = (self._prepared(name, pictures) for name in (work.left, work.right))
        return self._timed("model", lambda: recorded.pair(a, b, ts))

    @property
    def _in_force(self) -> Whole | None:
        """The graphs, if the full model is in use."""
        return self._recorded if self.model is self._models[FULL] else None

    def _upload(self, payload: Payload) -> Picture:
        slot = self._ups.take(payload.nbytes)
        try:
            return self._through(slot, payload)
        finally:
            self._ups.give_back(slot)

    def _through(self, slot: Slot, payload: Payload) -> Picture:
        size = payload.nbytes
        slot.bytes[:size] = payload
        codes = self._codes_in(slot, size)
        slot.copied = self._lanes.copy("up", codes, slot.host[:size], slot.read)
        self._lanes.follow(slot.copied)
        recorded = self._in_force
        convert = self._converted if recorded is None else recorded.convert
        picture, slot.read = self._lanes.work(lambda: convert(codes))
        self._spans.add("convert", "up", slot.copied)
        self._spans.add("convert", "work", slot.read)
        return picture

    def _codes_in(self, slot: Slot, size: int) -> Tensor:
        """The device memory that a slot's payload is copied to."""
        if slot.held is not None:
            return slot.held
        # Earlier work may still use this memory: the upload lane waits until that is done.
        codes, slot.read = self._lanes.work(
            lambda: torch.empty(size, dtype=torch.uint8, device=self._device)
        )
        slot.held = codes
        return codes

    def _converted(self, codes: Tensor) -> Picture:
        return uploaded(codes, self.model, self._converter)

    def _prepare(self, picture: Picture) -> Prepared:
        recorded = self._in_force
        return super()._prepare(picture) if recorded is None else recorded.prepare(picture)

    def _downloading(self, made: Picture, static: list[Static | None]) -> Download:
        """Start the download of pictures or of their codes."""
        encode = partial(_flat, self._converter, self._info.payload_bytes)
        coded = made if isinstance(made, torch.Tensor) and made.dtype == torch.uint8 else None
        flat, span = self._lanes.work(lambda: encode(made) if coded is None else coded)
        self._spans.add("download", "work", span)
        if not self._downs.num_free:
            self._home.underway[0].collect()
        slot = self._downs.take(len(flat))
        slot.held = flat
        slot.copied = self._lanes.copy("down", slot.host[: len(flat)], flat, span)
        self._spans.add("download", "down", slot.copied)
        download = Download(self._home, slot, static, self._spans)
        self._home.underway.append(download)
        return download

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        if stage != "model":
            return work()  # it measures its own spans
        made, span = self._lanes.work(work)
        self._spans.add("model", "work", span)
        return made

    # ---- recordings ----

    @torch.inference_mode()
    def warm_up(self, form: Form = "eager", num_new: int = 1) -> None:
        """Like ``Interpolation.warm_up``; a graph includes conversion from and to codes."""
        as_it_is = self.model
        super().warm_up(form, num_new)
        if form == "compile" or self.model is as_it_is:
            return
        payloads = [
            torch.from_numpy(payload).to(self._device) for payload in self._test_payloads()[:2]
        ]
        self._recorded = whole(
            as_it_is,
            Conversions(self._new_picture, self._new_codes),
            self._device,
            (payloads[0], payloads[1]),
            min(num_new, MOST_NEW),
            self._told,
        )
        if self._recorded is not None:
            # Passes, and sizes not captured, run without a graph; graphs of the core are freed.
            self.model = self._models[FULL] = as_it_is

    def _new_picture(self) -> Callable[[Tensor], Picture]:
        converter = Converter(self._info, self._device, self._dtype)
        model = self._models[FULL]
        return lambda codes: uploaded(codes, model, converter)

    def _new_codes(self) -> Callable[[Picture], Tensor]:
        converter = Converter(self._info, self._device, self._dtype)
        return partial(_flat, converter, self._info.payload_bytes)


def _flat(converter: Converter, size: int, picture: Picture) -> Tensor:
    """The codes of N pictures, followed by a flag that says whether all their values are finite.

    Returns:
        (N * size + _TAIL,) uint8, on the device.
    """
    luma = picture.y if isinstance(picture, Planes) else picture
    num = len(luma)
    flat = torch.empty(num * size + _TAIL, dtype=torch.uint8, device=luma.device)
    flat[num * size :].copy_(is_finite(picture))
    converter.write(converter.planes_of(picture), flat[: num * size].view(num, size))
    return flat
