"""Base class of executors: turns picture ids into pictures, once each, and returns payloads. No
torch.

The planner names pictures by id. An executor turns ids into what its model works on, and frees a
picture when the planner says that no later action needs it. ``executor.Executor`` is the contract.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar

from rtvfi.models.base import MANY
from rtvfi.stream.plan.batch import Retimes3, needs, parted
from rtvfi.stream.plan.ladder import FULL, Variant
from rtvfi.stream.plan.planner import Copy, Mid, Retime, Retime3
from rtvfi.stream.run.executors.executor import StageTimes
from rtvfi.stream.run.executors.tiles import StaticTiles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId
    from rtvfi.models.base import Link, ModelInfo, Prepared
    from rtvfi.stream.plan.batch import Retimes, Work
    from rtvfi.stream.run.executors.pictures import Pictures

    Payload = NDArray[np.uint8]


T = TypeVar("T")
M = TypeVar("M")
"""The executor's kind of model."""
P = TypeVar("P")
"""Its kind of pictures."""


@dataclass(slots=True)
class Cache(Generic[P]):
    """Everything kept about the pictures in use, by id."""

    prepared: dict[ImageId, Prepared] = field(default_factory=dict)
    pictures: dict[ImageId, P] = field(default_factory=dict)
    """Pictures made by passes, as the model returned them; source frames are not kept here."""
    payloads: dict[ImageId, Payload] = field(default_factory=dict)
    """Payloads of pictures made by passes, in case they are shown again."""
    links: dict[tuple[ImageId, ImageId], Link] = field(default_factory=dict)
    static: dict[tuple[ImageId, ...], NDArray[np.bool_]] = field(default_factory=dict)
    """Tiles in which the source frames of the key are identical."""

    def trim(self, most: int, needed: Collection[ImageId]) -> None:
        """Free prepared pictures, the oldest first and never ``needed`` ones, until no more than
        ``most`` will be kept once all ``needed`` ones are prepared; they can be made again.
        """
        num_missing = sum(image not in self.prepared for image in needed)
        for image in [i for i in self.prepared if i not in needed]:
            if len(self.prepared) + num_missing <= most:
                return
            del self.prepared[image]
            for pair in [p for p in self.links if image in p]:
                del self.links[pair]

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all pictures except these."""
        for table in (self.prepared, self.pictures, self.payloads):
            for image in [i for i in table if i not in needed]:
                del table[image]
        for pair in [p for p in self.links if p[0] not in needed or p[1] not in needed]:
            del self.links[pair]


class ExecutorBase(Generic[M, P]):
    """An executor, without what depends on the kind of model. For one stream, used by one thread
    (except ``offer``).

    Args:
        model: the full model.
        info: the stream whose payloads come in and go out.
    """

    def __init__(self, model: M, info: StreamInfo) -> None:
        self.model = model
        self.most_new = MANY
        """Limit of pictures per call, for lack of memory; more need several calls."""
        self.most_prepared = MANY
        """Limit of prepared pictures that are kept."""
        self.remark = ""
        """What was given up while running, as a sentence for the user; read by any thread."""
        self._models: dict[Variant, M] = {FULL: model}
        self._expected: dict[Variant, float] = {}
        self._times = StageTimes()
        self._info = info
        self._tiles = StaticTiles(info)
        self._cache = Cache[P]()

    # ---- what depends on the kind of model ----

    @property
    def _row(self) -> ModelInfo:
        """The catalogue's row of the full model."""
        raise NotImplementedError

    def _upload(self, payload: Payload) -> P:
        """Turn the payload of a source frame into a picture of the model."""
        raise NotImplementedError

    def _prepare(self, picture: P) -> Prepared:
        """The model's result for one picture alone (``Interpolator.prepare``)."""
        raise NotImplementedError

    def _pair(self, left: ImageId, right: ImageId, ts: list[float], pictures: Pictures) -> P:
        """Pictures between two, one for each of ``ts``, in the form that ``_download`` takes."""
        raise NotImplementedError

    def _middle(self, work: Mid, pictures: Pictures) -> P:
        """The picture of a pass, in the form that ``_download`` takes."""
        return self._pair(work.left, work.right, [0.5], pictures)

    def _triple(self, work: Retimes3, ts: list[float], pictures: Pictures) -> P:
        """Pictures around the centre of three, in the form that ``_download`` takes."""
        raise TypeError(f"{self._row.id} works on two frames, a plan for three was made")

    def _connect(self, a: Prepared, b: Prepared) -> Link:
        """What all pictures between two prepared ones share (the motion between them)."""
        raise NotImplementedError

    def _download(self, picture: P) -> list[Payload]:
        """Payloads of what ``_pair`` returned: new arrays that nothing else refers to."""
        raise NotImplementedError

    # ---- the contract ----

    @property
    def num_frames(self) -> Literal[2, 3]:
        """Pictures a call of the full model looks at."""
        return self._row.num_frames

    @property
    def variants(self) -> Collection[Variant]:
        """Cheaper variants that are ready."""
        return self._models.keys() - {FULL}

    @property
    def expected(self) -> Mapping[Variant, float]:
        """Seconds of a trial call of each variant; empty unless the full model is slow."""
        return self._expected

    def offer(self, variant: Variant, model: M) -> None:
        """Add a model that may replace the full one when that is too slow; called by any thread.

        Args:
            variant: what it is.
            model: a model that can work on two frames.
        """
        self._models = {**self._models, variant: model}

    def replace_full(self, model: M) -> None:
        """Replace the full model by another form of it, which returns the same pictures."""
        self.model = self._models[FULL] = model

    def expect(self, variant: Variant, seconds: float) -> None:
        """Set the seconds of a trial call."""
        self._expected = {**self._expected, variant: seconds}

    def choose(self, variant: Variant) -> None:
        """Change the variant from the next batch on. Pictures are kept; what the old model prepared
        from them is freed.
        """
        model = self._models[variant]
        if model is not self.model:
            self.model = model
            self._cache.prepared.clear()
            self._cache.links.clear()

    def reset(self) -> None:
        """Free every picture, for a seek: ids then mean other pictures."""
        self._cache = Cache[P]()

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all pictures except these."""
        self._cache.keep(needed)

    def take_times(self) -> StageTimes:
        """Seconds per stage since the last call of this method."""
        taken, self._times = self._times, StageTimes()
        return taken

    def run(self, work: Work, pictures: Pictures) -> dict[int, Payload]:
        """Carry out one piece of work; arguments and result are those of ``Executor.run``. In tiles
        where all source frames of an output are identical, it has their samples.
        """
        self._cache.trim(self.most_prepared, needs(work))
        if isinstance(work, Mid):
            self._cache.pictures[work.image] = self._middle(work, pictures)
            return {}
        if isinstance(work, Copy):
            return {work.index: self._shown(work.image, pictures)}
        if len(work.outputs) > self.most_new:
            parts = parted(work, self.most_new)
            return {i: p for part in parts for i, p in self.run(part, pictures).items()}
        outputs: Sequence[Retime | Retime3] = work.outputs
        payloads = self._download(self._retimed(work, pictures))
        for output, payload in zip(outputs, payloads, strict=True):
            self._keep_static(payload, around(output), pictures)
        return {o.index: p for o, p in zip(outputs, payloads, strict=True)}

    def _retimed(self, work: Retimes | Retimes3, pictures: Pictures) -> P:
        """Pictures for the outputs of a piece of work, as ``_download`` takes them."""
        ts = [float(output.t) for output in work.outputs]
        if isinstance(work, Retimes3):
            return self._triple(work, ts, pictures)
        return self._pair(work.left, work.right, ts, pictures)

    def _shown(self, image: ImageId, pictures: Pictures) -> Payload:
        """The payload of a picture: the source frame's own, or a download of a pass's picture, made
        once.
        """
        if image in pictures:
            return pictures[image]
        if image not in self._cache.payloads:
            # A copy, because tiles are written to it, and later passes need the picture itself.
            payload = self._download(self._cache.pictures[image])[0].copy()
            self._keep_static(payload, (image,), pictures)
            self._cache.payloads[image] = payload
        return self._cache.payloads[image]

    def _keep_static(self, made: Payload, images: Sequence[ImageId], pictures: Pictures) -> None:
        """Copy into ``made`` the tiles in which all source frames of ``images`` are identical."""

        def work() -> None:
            found = self._static(images, pictures)
            if found is not None:
                self._tiles.restore(made, *found)

        self._timed("download", work)

    def _static(
        self, images: Sequence[ImageId], pictures: Pictures
    ) -> tuple[Payload, NDArray[np.bool_]] | None:
        """A source frame of ``images``, and the tiles in which all their source frames agree."""
        names, static = pictures.sources(images), self._cache.static
        if len(names) < 2 or not all(name in pictures for name in names):
            return None
        if names not in static:
            for old in [n for n in static if not all(name in pictures for name in n)]:
                del static[old]
            static[names] = self._tiles.agreeing([pictures[name] for name in names])
        return pictures[names[0]], static[names]

    def _prepared(self, image: ImageId, pictures: Pictures) -> Prepared:
        found = self._cache.prepared.get(image)
        if found is None:
            picture = self._cache.pictures.get(image)
            if picture is None:
                picture = self._timed("convert", lambda: self._upload(pictures[image]))
            found = self._timed("model", lambda: self._prepare(picture))
            self._cache.prepared[image] = found
        return found

    def _link(self, left: ImageId, right: ImageId, pictures: Pictures) -> Link:
        found = self._cache.links.get((left, right))
        if found is None:
            a, b = self._prepared(left, pictures), self._prepared(right, pictures)
            found = self._timed("model", lambda: self._connect(a, b))
            self._cache.links[left, right] = found
        return found

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        setattr(self._times, stage, getattr(self._times, stage) + time.perf_counter() - start)
        return result


AnyExecutor: TypeAlias = ExecutorBase[Any, Any]
"""One of whatever kind."""


def around(output: Retime | Retime3) -> tuple[ImageId, ImageId]:
    """The two pictures that an output is between."""
    if isinstance(output, Retime):
        return (output.left, output.right)
    if output.t < 1:
        return (output.left, output.centre)
    return (output.centre, output.right)
