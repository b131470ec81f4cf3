"""Carries out actions with a model: pictures in by identity, payloads out.

The planner names pictures; this room turns names into tensors, once each, and forgets them when
the planner says that no later action needs them. Actions of the same pair become one model call.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
import torch

from rtvfi.core.errors import BadPicture
from rtvfi.core.frame import plane_views
from rtvfi.models.base import Interpolator, Planes, TripleInterpolator
from rtvfi.models.fast import fastest
from rtvfi.stream.plan.batch import Retimes, Retimes3
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, Mid, Retime, Retime3
from rtvfi.stream.run.convert import Converter
from rtvfi.stream.run.executor import StageTimes
from rtvfi.stream.run.pictures import Pictures
from rtvfi.stream.run.tiles import StaticTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.options import Form
    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.batch import Work

    Payload = NDArray[np.uint8]

T = TypeVar("T")


@dataclass(slots=True)
class _Cache:
    """What is known of the pictures in play, by identity."""

    prepared: dict[ImageId, Any] = field(default_factory=dict)
    pictures: dict[ImageId, Any] = field(default_factory=dict)
    """Device pictures made by a pass; source frames are not kept here."""
    payloads: dict[ImageId, Payload] = field(default_factory=dict)
    """Host copies of pictures made by a pass, for those shown more than once."""
    links: dict[tuple[ImageId, ImageId], Any] = field(default_factory=dict)
    static: dict[tuple[ImageId, ...], NDArray[np.bool_]] = field(default_factory=dict)
    """Tiles in which these source frames agree."""

    def keep(self, needed: Collection[ImageId]) -> None:
        for table in (self.prepared, self.pictures, self.payloads):
            for image in [i for i in table if i not in needed]:
                del table[image]
        for pair in [p for p in self.links if p[0] not in needed or p[1] not in needed]:
            del self.links[pair]


class Interpolation:
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
        self.model = model
        self._models = {FULL: model}
        self._times = StageTimes()
        self._info = info
        self._device = device
        self._dtype = dtype
        self._converter = Converter(info, device, dtype)
        self._tiles = StaticTiles(info)
        self._cache = _Cache()

    @property
    def num_frames(self) -> Literal[2, 3]:
        """Pictures a call of the model looks at."""
        return self.model.info.num_frames

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
        pictures = partial(self._pictures, self._converter)
        self.model = fastest(self.model, pictures, self._device, form, num_new)
        self._models[FULL] = self.model
        grey = np.full(self._info.payload_bytes, 0x10, np.uint8)
        names: tuple[ImageId, ImageId] = ((0, 0), (0, 1))
        half_way = Retime(0, Fraction(0), *names, Fraction(1, 2))
        self.run(Retimes((half_way,)), Pictures(dict.fromkeys(names, grey)))
        self.reset()
        self.take_times()

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper ways it can run by now."""
        return self._models.keys() - {FULL}

    @torch.inference_mode()
    def offer(self, variant: Variant, model: Interpolator) -> None:
        """Let ``model`` stand in for the full one when that is too slow; on any thread.

        It runs as it is: to capture it would take memory and time while the full one is at work.

        Args:
            variant: its name.
            model: on the same device, for the same kind of pictures, as many a call.
        """
        # The converter is that of the thread at work.
        pictures = self._pictures(Converter(self._info, self._device, self._dtype))
        left, right = (model.prepare(picture) for picture in pictures[:2])
        model.pair(left, right, [0.5])
        self._models = {**self._models, variant: model}

    def choose(self, variant: Variant) -> None:
        """Run like this from the next batch on: pictures stay, what a model made of them goes."""
        model = self._models[variant]
        if model is not self.model:
            self.model = model
            self._cache.prepared.clear()
            self._cache.links.clear()

    def _pictures(self, converter: Converter) -> list[Any]:
        """Three with something to see, which moves by a few pixels."""
        payloads = [np.zeros(self._info.payload_bytes, np.uint8) for _ in range(3)]
        for k, payload in enumerate(payloads):
            for plane in plane_views(payload, self._info):
                y, x = np.ogrid[: plane.shape[0], : plane.shape[1]]
                waves = np.sin((x + 3 * k) / 9) * np.cos((y - 2 * k) / 7)
                plane[:] = (0.5 + 0.4 * waves) * ((1 << self._info.format.bits) - 1)
        return [self._upload(payload, converter) for payload in payloads]

    def reset(self) -> None:
        """Forget every picture (a seek: identities start anew)."""
        self._cache = _Cache()

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all pictures but these."""
        self._cache.keep(needed)

    def take_times(self) -> StageTimes:
        """Stage times since the last call."""
        taken, self._times = self._times, StageTimes()
        return taken

    @torch.inference_mode()
    def run(self, work: Work, pictures: Pictures) -> dict[int, Payload]:
        """Carry out one piece of work; see ``Executor.run``. Where all source frames that an
        output is made of agree, it shows their samples.
        """
        if isinstance(work, Mid):
            picture = self._pair(work.left, work.right, [0.5], pictures)
            self._cache.pictures[work.image] = picture
            return {}
        if isinstance(work, Copy):
            return {work.index: self._shown(work.image, pictures)}
        outputs: Sequence[Retime | Retime3] = work.outputs
        ts = [float(output.t) for output in outputs]
        if isinstance(work, Retimes3):
            picture = self._triple(work, ts, pictures)
        else:
            picture = self._pair(work.left, work.right, ts, pictures)
        payloads = self._download(picture)
        for output, payload in zip(outputs, payloads, strict=True):
            self._keep_static(payload, _around(output), pictures)
        return {o.index: p for o, p in zip(outputs, payloads, strict=True)}

    def _pair(self, left: ImageId, right: ImageId, ts: list[float], pictures: Pictures) -> Any:
        a, b = self._prepared(left, pictures), self._prepared(right, pictures)
        return self._timed("model", lambda: self.model.pair(a, b, ts))

    def _triple(self, work: Retimes3, ts: list[float], pictures: Pictures) -> Any:
        model = self.model
        if not isinstance(model, TripleInterpolator):
            raise TypeError(f"{model.info.id} works on two frames, a plan for three was made")
        left, centre, right = work.names
        a, b, c = (self._prepared(name, pictures) for name in work.names)
        links = (
            self._link(model, (left, centre), (a, b)),
            self._link(model, (centre, right), (b, c)),
        )
        return self._timed("model", lambda: model.triple((a, b, c), links, ts))

    def _link(
        self, model: TripleInterpolator, names: tuple[ImageId, ImageId], frames: tuple[Any, Any]
    ) -> Any:
        found = self._cache.links.get(names)
        if found is None:
            found = self._timed("model", lambda: model.link(*frames))
            self._cache.links[names] = found
        return found

    def _shown(self, image: ImageId, pictures: Pictures) -> Payload:
        """The payload of a picture: the source's own, or one download of a picture made by a
        pass.
        """
        if image in pictures:
            return pictures[image]
        if image not in self._cache.payloads:
            payload = self._download(self._cache.pictures[image])[0]
            self._keep_static(payload, (image,), pictures)
            self._cache.payloads[image] = payload
        return self._cache.payloads[image]

    def _keep_static(self, made: Payload, images: Sequence[ImageId], pictures: Pictures) -> None:
        """Give ``made`` the samples in which all frames agree that ``images`` are made of."""

        def work() -> None:
            names, static = pictures.sources(images), self._cache.static
            if len(names) < 2 or not all(name in pictures for name in names):
                return
            if names not in static:
                for old in [n for n in static if not all(name in pictures for name in n)]:
                    del static[old]
                static[names] = self._tiles.agreeing([pictures[name] for name in names])
            self._tiles.restore(made, pictures[names[0]], static[names])

        self._timed("download", work)

    def _prepared(self, image: ImageId, pictures: Pictures) -> Any:
        found = self._cache.prepared.get(image)
        if found is None:
            picture = self._cache.pictures.get(image)
            if picture is None:
                picture = self._timed(
                    "convert", lambda: self._upload(pictures[image], self._converter)
                )
            found = self._timed("model", lambda: self.model.prepare(picture))
            self._cache.prepared[image] = found
        return found

    def _upload(self, payload: Payload, converter: Converter) -> Any:
        if self.model.info.picture == "yuv":
            return converter.to_planes(payload)
        return converter.to_rgb(payload)

    def _download(self, picture: Any) -> list[Payload]:
        def work() -> list[Payload]:
            _check(picture)
            planes = picture if isinstance(picture, Planes) else self._converter.from_rgb(picture)
            return self._converter.from_planes(planes)

        return self._timed("download", work)

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        setattr(self._times, stage, getattr(self._times, stage) + time.perf_counter() - start)
        return result


def _check(picture: Any) -> None:
    """Look at every 64th sample: half precision that overflows does so far and wide.

    Raises:
        BadPicture: there are numbers among them that are none.
    """
    luma = picture.y if isinstance(picture, Planes) else picture
    if not bool(torch.isfinite(luma[..., ::8, ::8]).all()):
        raise BadPicture("the model failed: it made numbers that are none")


def _around(output: Retime | Retime3) -> tuple[ImageId, ImageId]:
    """The pictures an output lies between."""
    if isinstance(output, Retime):
        return (output.left, output.right)
    if output.t < 1:
        return (output.left, output.centre)
    return (output.centre, output.right)
