"""The pictures in use: payloads of source frames, and which source frames others are made of."""

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
    """The compute thread's record of pictures; executors read it. Used by one thread.

    It holds the payloads of source frames. A picture made by a pass is kept by the executor; this
    only records that it was made, and from which source frames.

    Args:
        payloads: source frames to begin with.
    """

    def __init__(self, payloads: Mapping[ImageId, Payload] | None = None) -> None:
        self._payloads = dict(payloads or {})
        self._lineage = Lineage()
        self._made: set[ImageId] = set()

    def __len__(self) -> int:
        """Number of source frames in use."""
        return len(self._payloads)

    def __contains__(self, image: ImageId) -> bool:
        """Whether this is a source frame in use."""
        return image in self._payloads

    def __getitem__(self, image: ImageId) -> Payload:
        """The payload of a source frame.

        Raises:
            KeyError: it is not a source frame, or not in use any more.
        """
        return self._payloads[image]

    # ---- what executors ask ----

    def sources(self, images: Iterable[ImageId]) -> tuple[ImageId, ...]:
        """The source frames that these pictures are made of, in order."""
        return tuple(sorted({s for image in images for s in self._lineage.sources(image)}))

    # ---- what the compute thread asks and tells ----

    def add(self, image: ImageId, payload: Payload) -> None:
        """Add a source frame."""
        self._payloads[image] = payload

    def plan(self, action: Mid) -> None:
        """Add a planned pass, even if it will not be carried out: stand-ins depend on it."""
        self._lineage.add(action)

    def mark_made(self, image: ImageId) -> None:
        """Note that the executor has made this picture."""
        self._made.add(image)

    def are_there(self, images: Iterable[ImageId]) -> bool:
        """Whether each of these is a source frame in use or was made."""
        return all(image in self._payloads or image in self._made for image in images)

    def stand_in(self, output: Fresh) -> Payload:
        """Payload of the source frame with the largest weight in an output."""
        return self._payloads[self._lineage.stand_in(output)]

    def keep(self, needed: Collection[ImageId]) -> None:
        """Free all pictures except these and the source frames they are made of."""
        sources = self._lineage.keep(needed)
        self._payloads = {name: p for name, p in self._payloads.items() if name in sources}
        self._made.intersection_update(needed)

    def forget_made(self) -> None:
        """Another executor takes over, which has made nothing yet."""
        self._made.clear()

    def clear(self) -> None:
        """Free everything, for a seek: ids then mean other pictures."""
        self._payloads.clear()
        self._lineage = Lineage()
        self._made.clear()
