"""The pictures in play: payloads of source frames, and what made pictures are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtvfi.stream.plan.lineage import Lineage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.core.stamp import ImageId
    from rtvfi.stream.plan.planner import Fresh, Mid

    Payload = NDArray[np.uint8]


class Pictures:
    """What the compute thread knows of pictures; executors read it. Used by one thread.

    A source frame is here as a payload. A picture made by a pass is on the executor's device; here
    is only that it was made, and of which source frames.

    Args:
        payloads: source frames to begin with.
    """

    def __init__(self, payloads: Mapping[ImageId, Payload] | None = None) -> None:
        self._payloads = dict(payloads or {})
        self._lineage = Lineage()
        self._made: set[ImageId] = set()

    def __len__(self) -> int:
        """Source frames in play."""
        return len(self._payloads)

    def __contains__(self, image: ImageId) -> bool:
        """Whether this is a source frame in play."""
        return image in self._payloads

    def __getitem__(self, image: ImageId) -> Payload:
        """The payload of a source frame.

        Raises:
            KeyError: it is none, or no longer in play.
        """
        return self._payloads[image]

    # ---- what executors ask ----

    def sources(self, images: Iterable[ImageId]) -> tuple[ImageId, ...]:
        """The source frames these are made of, in order."""
        return tuple(sorted({s for image in images for s in self._lineage.sources(image)}))

    # ---- what the compute thread asks and tells ----

    def add(self, image: ImageId, payload: Payload) -> None:
        """A source frame comes into play."""
        self._payloads[image] = payload

    def plan(self, action: Mid) -> None:
        """A pass is planned, whether or not it will be carried out: its stand-ins depend on it."""
        self._lineage.add(action)

    def mark_made(self, image: ImageId) -> None:
        """The executor has carried out the pass that makes this."""
        self._made.add(image)

    def are_there(self, images: Iterable[ImageId]) -> bool:
        """Whether each is a source frame in play or was made."""
        return all(image in self._payloads or image in self._made for image in images)

    def stand_in(self, output: Fresh) -> Payload:
        """The source frame that an output shows most of."""
        return self._payloads[self._lineage.stand_in(output)]

    def keep(self, needed: Collection[ImageId]) -> None:
        """Let go of all but these and the source frames they are made of."""
        sources = self._lineage.keep(needed)
        self._payloads = {name: p for name, p in self._payloads.items() if name in sources}
        self._made.intersection_update(needed)

    def forget_made(self) -> None:
        """Another executor takes over, which has made nothing yet."""
        self._made.clear()

    def clear(self) -> None:
        """A seek: names begin anew."""
        self._payloads.clear()
        self._lineage = Lineage()
        self._made.clear()
