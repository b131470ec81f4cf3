"""The executor of ``dis``, which computes on the samples of payloads. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from rtvfi.core.frame import plane_views
from rtvfi.models.dis.model import Dis
from rtvfi.stream.run.executors.base import ExecutorBase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.stamp import ImageId
    from rtvfi.models.base import ModelInfo
    from rtvfi.models.dis.flow import Motion
    from rtvfi.models.dis.model import Prepared
    from rtvfi.stream.run.executors.pictures import Pictures

    Payload = NDArray[np.uint8]


class CodesInterpolation(ExecutorBase[Dis, "list[Payload]"]):
    """An ``executor.Executor`` for one model and one stream, on the processor; used by one thread.

    A picture is a list of one payload.
    """

    def __init__(self, model: Dis, info: StreamInfo) -> None:
        super().__init__(model, info)

    @property
    def _row(self) -> ModelInfo:
        return self.model.info

    def _upload(self, payload: Payload) -> list[Payload]:
        return [payload]

    def _prepare(self, picture: list[Payload]) -> Prepared:
        return self.model.prepare(plane_views(picture[0], self._info))

    def _connect(self, a: Prepared, b: Prepared) -> Motion:
        return self.model.motion(a, b)

    def _pair(
        self, left: ImageId, right: ImageId, ts: list[float], pictures: Pictures
    ) -> list[Payload]:
        try:
            motion = self._link(left, right, pictures)
            ends = self._prepared(left, pictures), self._prepared(right, pictures)
            return self._timed("model", lambda: [self._made(ends, motion, t) for t in ts])
        except cv2.error as error:  # callers do not know this class
            raise RuntimeError(str(error)) from error

    def _made(self, ends: tuple[Prepared, Prepared], motion: Motion, t: float) -> Payload:
        payload = np.empty(self._info.payload_bytes, np.uint8)
        self.model.between(ends, motion, t, plane_views(payload, self._info))
        return payload

    def _download(self, picture: list[Payload]) -> list[Payload]:
        return picture
