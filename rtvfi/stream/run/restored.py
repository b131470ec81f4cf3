"""A source that wraps another one and restores its pictures with a network (``--enhance``).

Bit-identical frames are one drawing, which is restored once. The network uses the next drawing of
the same scene as a helper; the last drawing of a scene is restored alone. The public program takes
pictures in pairs, so helpers come from after and from before in turn, which can flicker and depends
on where reading began. Here no earlier picture is used, so the result is the same wherever reading
began, as ``FrameSource.seek`` promises. The cost is the same: one run per drawing.
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
"""SSIM of 32x32 miniatures below which a picture is no helper for another, as in the public
program."""

P = TypeVar("P")
"""What a network makes of one picture."""


class Restorer(Protocol[P]):
    """A network that restores a picture with the help of another one, such as ``models.safa``."""

    def prepare(self, picture: Tensor) -> P:
        """The features of one picture, (1, 3, H, W) in [0, 1]."""
        ...

    def restore(self, picture: P, neighbour: P) -> Tensor:
        """The restored picture, (1, 3, H, W) in [0, 1], from features of it and of a neighbour; a
        picture alone is its own neighbour.
        """
        ...


class Restored(Generic[P]):
    """A ``FrameSource`` that wraps another one; the owner thread of that one uses it.

    Args:
        source: the opened source.
        load: loads the network, when the first picture is read.
        device: the device of the network.
        dtype: float type of its pictures.
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
        """Restored frames that were not read yet."""
        self._run: list[SourceFrame] = []
        """Frames of the current drawing; all have the payload of the first."""
        self._after: SourceFrame | EndOfStream | None = None
        """The first frame of the next drawing, once it was read."""
        self._prepared: P | None = None
        """Features of the current drawing, if it was the helper of the previous one."""

    @property
    def epoch(self) -> int:
        """The epoch of frames read next: ``FrameSource.epoch``."""
        return self._source.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._source.epoch = epoch

    def read(self) -> SourceFrame | EndOfStream:
        """The next frame, restored; ``END`` after the last one.

        Raises:
            ModelError: the network failed or cannot be loaded.
            OutOfMemory: the device has not enough memory.
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
        """Read up to the first frame of the next drawing; an interruption loses no frame."""
        while self._after is None:
            frame = self._source.read()
            self.info = self._source.info  # another decoder may have taken over
            if not isinstance(frame, SourceFrame):
                self._after = frame
            elif not self._run:
                self._run = [frame]
            elif np.array_equal(frame.payload, self._run[0].payload):
                # One payload for all, so that a long hold needs no more memory.
                self._run.append(replace(frame, payload=self._run[0].payload))
            else:
                self._after = frame

    @torch.inference_mode()
    def _restored(self) -> Payload:
        """The restored payload of the current drawing."""
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
        """Features of the next drawing; None if there is none in the same scene."""
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
        """Close the source; closing twice is fine."""
        self._forget()
        self._source.close()
