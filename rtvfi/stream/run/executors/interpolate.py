"""The executor of models that are networks: tensors on one device."""

from __future__ import annotations

import time
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from rtvfi.core.errors import BadPicture
from rtvfi.core.frame import plane_views
from rtvfi.models.base import HasMiddle, Interpolator, Planes, TripleInterpolator
from rtvfi.models.fast import fastest
from rtvfi.stream.plan.batch import Retimes
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Mid, Retime
from rtvfi.stream.run.executors.base import ExecutorBase
from rtvfi.stream.run.executors.convert import Converter, is_finite
from rtvfi.stream.run.executors.pictures import Pictures
from rtvfi.stream.run.executors.underway import NOT_FINITE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import Form
    from rtvfi.core.stamp import ImageId
    from rtvfi.models.base import Link, ModelInfo, Picture, Prepared
    from rtvfi.stream.plan.batch import Retimes3, Work

    Payload = NDArray[np.uint8]

SLOW_SECONDS: Final = 0.25
"""Of a call of the full model, from which on the cost is measured before the first one is made
(``Executor.expected``): a good part of what is in stock, so the picture would stop while it runs.
"""


class Interpolation(ExecutorBase[Interpolator, "Picture"]):
    """The executor: one model, one stream, one device. Used by one thread.

    Args:
        model: a loaded model; its device and dtype rule.
        info: the stream whose payloads come in and go out.
        device: where the model is.
        dtype: float type of pictures.
    """

    def __init__(
        self, model: Interpolator, info: StreamInfo, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(model, info)
        self._device = device
        self._dtype = dtype
        self._converter = Converter(info, device, dtype)
        self.complain: Callable[[str], None] = self._note
        """Told what was given up on the way."""
        self.warm_up_seconds = 0.0
        """What ``warm_up`` took."""

    @property
    def _row(self) -> ModelInfo:
        return self._models[FULL].info

    @torch.inference_mode()
    def warm_up(self, form: Form = "eager", num_new: int = 1) -> None:
        """Run every stage once on grey pictures: kernels are chosen and memory is taken before it
        matters.

        Args:
            form: how the network shall be run from now on.
            num_new: pictures that one call will make.

        Raises:
            ModelError: a form that was asked for by name cannot be had.
        """
        begin = time.monotonic()
        pictures = partial(self._pictures, self.model, self._converter)
        self.replace_full(fastest(self.model, pictures, self._device, form, num_new, self._told))
        grey = np.full(self._info.payload_bytes, 0x10, np.uint8)
        names: tuple[ImageId, ImageId] = ((0, 0), (0, 1))
        half_way = Retimes((Retime(0, Fraction(0), *names, Fraction(1, 2)),))
        self._try(FULL, lambda: self.run(half_way, Pictures(dict.fromkeys(names, grey))))
        self.reset()
        self.take_times()
        self.warm_up_seconds = time.monotonic() - begin

    def _told(self, text: str) -> None:
        self.complain(text)

    def _note(self, text: str) -> None:
        self.remark = text

    def _try(self, variant: Variant, run: Callable[[], object]) -> None:
        """Run once, and note what it took where the full model is slow."""
        taken = 0.0
        for _ in range(1 if self._device.type == "cpu" else 2):  # kernels are loaded the first time
            begin = time.monotonic()
            run()
            taken = time.monotonic() - begin
            if variant == FULL and taken < SLOW_SECONDS:
                return
        if variant == FULL or FULL in self.expected:
            self.expect(variant, taken)

    @torch.inference_mode()
    def offer(self, variant: Variant, model: Interpolator) -> None:
        """Let ``model`` stand in for the full one when that is too slow; on any thread.

        It runs as it is: to capture it would take memory and time while the full one is at work.

        Args:
            variant: its name.
            model: on the same device; a two-frame model at least.
        """
        # The converter is that of the thread at work.
        converter = Converter(self._info, self._device, self._dtype)
        pictures = self._pictures(model, converter)

        def run() -> None:
            left, right = (model.prepare(picture) for picture in pictures[:2])
            model.pair(left, right, [0.5])

        self._try(variant, run)
        super().offer(variant, model)

    @torch.inference_mode()
    def choose(self, variant: Variant) -> None:
        """See ``Executor.choose``; a network that takes pictures of another kind gets those made
        so far as such.
        """
        before = self.model.info.picture
        super().choose(variant)
        if self.model.info.picture != before:
            made = self._cache.pictures
            made.update({image: self._turned(picture) for image, picture in made.items()})

    def _turned(self, picture: Picture) -> Picture:
        """RGB as planes, planes as RGB."""
        if isinstance(picture, Planes):
            return self._converter.planes_to_rgb(picture)
        planes = self._converter.from_rgb(picture)
        return Planes(planes.y.to(self._dtype), planes.uv.to(self._dtype))

    def _pictures(self, model: Interpolator, converter: Converter) -> list[Picture]:
        """``_test_payloads`` as the model takes them."""
        return [uploaded(payload, model, converter) for payload in self._test_payloads()]

    def _test_payloads(self) -> list[Payload]:
        """Three with something to see, which moves by a few pixels."""
        payloads = [np.zeros(self._info.payload_bytes, np.uint8) for _ in range(3)]
        for k, payload in enumerate(payloads):
            for plane in plane_views(payload, self._info):
                y, x = np.ogrid[: plane.shape[0], : plane.shape[1]]
                waves = np.sin((x + 3 * k) / 9) * np.cos((y - 2 * k) / 7)
                plane[:] = (0.5 + 0.4 * waves) * ((1 << self._info.format.bits) - 1)
        return payloads

    @torch.inference_mode()
    def run(self, work: Work, pictures: Pictures) -> dict[int, Payload]:
        """Carry out one piece of work."""
        return super().run(work, pictures)

    def _upload(self, payload: Payload) -> Picture:
        return uploaded(payload, self.model, self._converter)

    def _prepare(self, picture: Picture) -> Prepared:
        return self.model.prepare(picture)

    def _pair(self, left: ImageId, right: ImageId, ts: list[float], pictures: Pictures) -> Picture:
        a, b = self._prepared(left, pictures), self._prepared(right, pictures)
        return self._timed("model", lambda: self.model.pair(a, b, ts))

    def _middle(self, work: Mid, pictures: Pictures) -> Picture:
        model = self.model
        if not isinstance(model, HasMiddle):
            return super()._middle(work, pictures)
        a, b = self._prepared(work.left, pictures), self._prepared(work.right, pictures)
        made, self._cache.prepared[work.image] = self._timed("model", lambda: model.middle(a, b))
        return made

    def _triple(self, work: Retimes3, ts: list[float], pictures: Pictures) -> Picture:
        model = self.model
        if not isinstance(model, TripleInterpolator):
            return super()._triple(work, ts, pictures)
        left, centre, right = work.names
        a, b, c = (self._prepared(name, pictures) for name in work.names)
        links = (self._link(left, centre, pictures), self._link(centre, right, pictures))
        return self._timed("model", lambda: model.triple((a, b, c), links, ts))

    def _connect(self, a: Prepared, b: Prepared) -> Link:
        assert isinstance(self.model, TripleInterpolator)
        return self.model.link(a, b)

    def _download(self, picture: Picture) -> list[Payload]:
        def work() -> list[Payload]:
            if not is_finite(picture):
                raise BadPicture(NOT_FINITE)
            return self._converter.from_planes(self._converter.planes_of(picture))

        return self._timed("download", work)


def uploaded(payload: Payload | Tensor, model: Interpolator, converter: Converter) -> Picture:
    """A source frame, or its bytes on the device, as the model takes pictures."""
    if model.info.picture == "yuv":
        return converter.to_planes(payload)
    return converter.to_rgb(payload)
