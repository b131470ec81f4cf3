"""A source whose pictures are restored by a network before anything else sees them.

Frames that are equal to the last bit are one drawing, restored once. A drawing is helped by the one
that follows it in the same scene; the last of a scene is restored alone. The public program takes
the pictures in pairs instead, whose helpers lie after and before them in turn, which can flicker
and depends on where one began to read. Here nothing before a picture is looked at, so that it is
the same wherever reading began, as ``FrameSource.seek`` promises, and each costs one run as well.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

import numpy as np
import torch

from rtvfi.core.errors import BadPicture, model_failure
from rtvfi.core.frame import END, SourceFrame
from rtvfi.stream.run.executors.convert import Converter, is_finite
from rtvfi.stream.see.miniatures import Miniatures, ssim

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.core.frame import EndOfStream, StreamInfo
    from rtvfi.stream.decode.source import FrameSource

    Payload = NDArray[np.uint8]

CUT_BELOW: Final = 0.2
"""SSIM of 32x32 miniatures under which two pictures do not help each other, as in the public
program."""

P = TypeVar("P")
"""What a network makes of one picture."""


class Restorer(Protocol[P]):
    """A network that restores a picture with the help of another; see ``models.safa``."""

    def prepare(self, picture: Tensor) -> P:
        """What one (1, 3, H, W) picture gives, for itself and for those it helps."""
        ...

    def restore(self, picture: P, neighbour: P) -> Tensor:
        """The picture restored, (1, 3, H, W) in [0, 1]; alone, it is its own neighbour."""
        ...


class Restored(Generic[P]):
    """A ``FrameSource`` around another; read, sought and closed by that one's thread.

    Args:
        source: opened.
        load: makes the network when the first picture is wanted.
        device: where it runs.
        dtype: of the pictures it is given.
    """

    def __init__(
        self,
        source: FrameSource,
        load: Callable[[], Restorer[P]],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self._source = source
        self.info: StreamInfo = source.info
        self._load = load
        self._restorer: Restorer[P] | None = None
        self._converter = Converter(source.info, device, dtype)
        self._miniatures = Miniatures(source.info)
        self._forget()

    def _forget(self) -> None:
        self._ready: deque[SourceFrame] = deque()
        """Restored, to be read."""
        self._run: list[SourceFrame] = []
        """Frames of the drawing at hand; all have the payload of the first."""
        self._after: SourceFrame | EndOfStream | None = None
        """The first frame of the next drawing, once it was seen."""
        self._prepared: P | None = None
        """What the drawing at hand gives, where it helped the one before."""

    @property
    def epoch(self) -> int:
        """See ``FrameSource``."""
        return self._source.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._source.epoch = epoch

    def read(self) -> SourceFrame | EndOfStream:
        """See ``FrameSource``.

        Raises:
            ModelError: the network failed, or cannot be loaded; OutOfMemory among them.
        """
        while not self._ready:
            self._gather()
            if not self._run:
                return END
            payload = self._restored()
            self._ready.extend(replace(frame, payload=payload) for frame in self._run)
            if isinstance(self._after, SourceFrame):
                self._run, self._after = [self._after], None
            else:
                self._run = []
        return self._ready.popleft()

    def _gather(self) -> None:
        """Read up to the first frame of the next drawing; nothing is lost when interrupted."""
        while self._after is None:
            frame = self._source.read()
            self.info = self._source.info  # another decoder may have taken over
            if not isinstance(frame, SourceFrame):
                self._after = frame
            elif not self._run:
                self._run = [frame]
            elif np.array_equal(frame.payload, self._run[0].payload):
                # One payload for all, so that memory does not grow with the time it is held.
                self._run.append(replace(frame, payload=self._run[0].payload))
            else:
                self._after = frame

    @torch.inference_mode()
    def _restored(self) -> Payload:
        """The payload of the drawing at hand, restored."""
        try:
            if self._restorer is None:
                self._restorer = self._load()
            one = self._prepared
            if one is None:
                one = self._prepare(self._run[0])
            other = self._helper()
            self._prepared = other
            picture = self._restorer.restore(one, one if other is None else other)
            if not is_finite(picture):
                raise BadPicture("a restored picture contains NaN or infinity")
            return self._converter.from_planes(self._converter.from_rgb(picture))[0]
        except (RuntimeError, MemoryError) as error:
            raise model_failure(error) from error

    def _helper(self) -> P | None:
        """What the next drawing gives; None where there is none in the same scene."""
        if not isinstance(self._after, SourceFrame):
            return None
        here, there = (self._miniatures.make(f.payload) for f in (self._run[0], self._after))
        return None if ssim(here, there) < CUT_BELOW else self._prepare(self._after)

    def _prepare(self, frame: SourceFrame) -> P:
        assert self._restorer is not None
        return self._restorer.prepare(self._converter.to_rgb(frame.payload))

    def seek(self, target: Fraction) -> None:
        """Make the frame *played at* ``target`` the next one read."""
        self._forget()
        self._source.seek(target)

    def close(self) -> None:
        """Let go of the file; closing twice is fine."""
        self._forget()
        self._source.close()
