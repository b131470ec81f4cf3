"""The executor of networks, on tensors of one device."""

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
"""If a call of the full model takes longer than this, the times of it and of its variants are
measured before they are used (``Executor.expected``), because such a call uses up much of the
frames in stock, so playback could stall.
"""


class Interpolation(ExecutorBase[Interpolator, "Picture"]):
    """An executor for one model, one stream and one device. Used by one thread.

    Args:
        model: a loaded model.
        info: the stream whose payloads come in and go out.
        device: the device of the model.
        dtype: float type of the model's pictures.
    """

    def __init__(
        self, model: Interpolator, info: StreamInfo, device: torch.device, dtype: torch.dtype
    ) -> None:
        super().__init__(model, info)
        self._device = device
        self._dtype = dtype
        self._converter = Converter(info, device, dtype)
        self.complain: Callable[[str], None] = self._note
        """Receives messages about what was given up while running."""
        self.warm_up_seconds = 0.0
        """Duration of ``warm_up``."""

    @property
    def _row(self) -> ModelInfo:
        return self._models[FULL].info

    @torch.inference_mode()
    def warm_up(self, form: Form = "eager", num_new: int = 1) -> None:
        """Run every stage once, so that kernels are chosen and memory is allocated before the first
        picture is needed.

        Args:
            form: how to run the network from now on.
            num_new: number of pictures that a call will make.

        Raises:
            ModelError: the form was named by the user and is not available.
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
        """Run once, and keep the time if the full model is slow."""
        taken = 0.0
        for _ in range(1 if self._device.type == "cpu" else 2):  # the first run loads kernels
            begin = time.monotonic()
            run()
            taken = time.monotonic() - begin
            if variant == FULL and taken < SLOW_SECONDS:
                return
        if variant == FULL or FULL in self.expected:
            self.expect(variant, taken)

    @torch.inference_mode()
    def offer(self, variant: Variant, model: Interpolator) -> None:
        """Add a model that may replace the full one when that is too slow; called by any thread.

        It runs without a graph: capturing would need memory and time while the full model runs.

        Args:
            variant: what it is.
            model: on the same device; a model that can work on two frames.
        """
        # A converter of its own: the executor's belongs to the compute thread.
        converter = Converter(self._info, self._device, self._dtype)
        pictures = self._pictures(model, converter)

        def run() -> None:
            left, right = (model.prepare(picture) for picture in pictures[:2])
            model.pair(left, right, [0.5])

        self._try(variant, run)
        super().offer(variant, model)

    @torch.inference_mode()
    def choose(self, variant: Variant) -> None:
        """Change the variant from the next work on. If the new network takes another kind of
        picture (RGB or planes), existing pictures are converted.
        """
        before = self.model.info.picture
        super().choose(variant)
        if self.model.info.picture != before:
            made = self._cache.pictures
            made.update({image: self._turned(picture) for image, picture in made.items()})

    def _turned(self, picture: Picture) -> Picture:
        """Convert RGB to planes, or planes to RGB."""
        if isinstance(picture, Planes):
            return self._converter.planes_to_rgb(picture)
        planes = self._converter.from_rgb(picture)
        return Planes(planes.y.to(self._dtype), planes.uv.to(self._dtype))

    def _pictures(self, model: Interpolator, converter: Converter) -> list[Picture]:
        """``_test_payloads`` as pictures of the model."""
        return [uploaded(payload, model, converter) for payload in self._test_payloads()]

    def _test_payloads(self) -> list[Payload]:
        """Three payloads with a pattern that moves by a few pixels."""
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
    """Convert a source frame, or its bytes on the device, to the model's kind of picture."""
    if model.info.picture == "yuv":
        return converter.to_planes(payload)
    return converter.to_rgb(payload)
