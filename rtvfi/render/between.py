"""New pictures between still ones, kept exact from one to the next: no rounding in between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from rtvfi.core.colour import KB, KR
from rtvfi.core.errors import UsageError
from rtvfi.core.options import StreamOptions
from rtvfi.engine.trusted import offline
from rtvfi.models.base import HasSteps, Planes
from rtvfi.models.load import load_model
from rtvfi.stream.write.stills import read_still

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.models.base import Picture

_MAPPED: Final = ("rife", "interpany")
"""Families whose networks take a timestep for every pixel."""


class Between:
    """A model for pictures of one size.

    Args:
        model_id: of the catalogue.
        device_name: as on the command line.
        size: (height, width).
        num_steps: in which a network with reference goes to a picture; None: as it likes.

    Raises:
        UsageError: ``num_steps`` for a network without reference.
        ModelError: the model cannot be had.
        DeviceError: the device cannot be used.
    """

    def __init__(
        self,
        model_id: str,
        device_name: str,
        size: tuple[int, int],
        num_steps: int | None = None,
    ) -> None:
        compute = offline(device_name)
        self.device, self.dtype = compute.device, compute.dtype
        flow_scale = StreamOptions().flow_scale_of(size[1], size[0])
        self.size = size
        self.model = load_model(model_id, self.device, self.dtype, flow_scale)
        if num_steps is not None:
            if not isinstance(self.model, HasSteps) or not self.model.has_reference:
                raise UsageError(
                    f'"{model_id}" goes to every picture in one step',
                    hint="--iters is for interpany-*-tr and interpany-*-dr",
                )
            self.model = self.model.in_steps(num_steps)

    def taken(self, rgb: NDArray[np.float32]) -> Picture:
        """A (H, W, 3) picture, 0..1, as the model takes it."""
        image = torch.from_numpy(rgb).permute(2, 0, 1)[None]
        if self.model.info.picture == "rgb":
            return image.to(self.device, self.dtype).contiguous()
        kr, kb = KR, KB  # any matrix would do, the same one is undone
        red, green, blue = image[:, :1], image[:, 1:2], image[:, 2:]
        y = kr * red + (1 - kr - kb) * green + kb * blue
        uv = torch.cat(((blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)), 1)
        return Planes(y.to(self.device, self.dtype), uv.to(self.device, self.dtype))

    def made(self, a: Picture, b: Picture, ts: Sequence[float | Tensor]) -> list[Picture]:
        """Pictures between two, each as the model gives it.

        Raises:
            UsageError: a map among ``ts``, and a model that takes none.
        """
        return list(self.each(a, b, ts))

    def each(self, a: Picture, b: Picture, ts: Sequence[float | Tensor]) -> Iterator[Picture]:
        """``made``, one after the other."""
        if any(isinstance(t, torch.Tensor) for t in ts):
            self.check_maps()
        with torch.inference_mode():
            left, right = self.model.prepare(a), self.model.prepare(b)
        for t in ts:
            with torch.inference_mode():
                picture = self.model.pair(left, right, [t])
            yield picture

    def check_maps(self) -> None:
        """Raise UsageError for a model that takes no timestep for every pixel."""
        if self.model.info.family not in _MAPPED:
            raise UsageError(
                f'"{self.model.info.id}" has one time for all pixels',
                hint="--model takes rife-* and interpany-* for maps",
            )

    @staticmethod
    def shown(picture: Picture) -> NDArray[np.float32]:
        """(H, W, 3) float32 of a picture of the model."""
        if isinstance(picture, Planes):
            kr, kb = KR, KB  # any matrix would do, the same one is undone
            y, u, v = picture.y.float(), picture.uv[:, :1].float(), picture.uv[:, 1:].float()
            red, blue = y + (2 - 2 * kr) * v, y + (2 - 2 * kb) * u
            picture = torch.cat((red, (y - kr * red - kb * blue) / (1 - kr - kb), blue), 1)
        rgb: NDArray[np.float32] = picture[0].permute(1, 2, 0).float().cpu().numpy()
        return rgb


def read_map(path: Path, size: tuple[int, int]) -> Tensor:
    """A number for every pixel, (1, 1, H, W) float32, 0..1.

    Args:
        path: a picture (its red channel; black 0, white 1), or ``.npy`` of (H, W) numbers.
        size: (height, width) it must have.

    Raises:
        UsageError: it cannot be read, or is of another size or range.
    """
    if path.suffix == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UsageError(f'"{path}" cannot be read as numbers: {error}') from error
    else:
        values = read_still(path).rgb[..., 0]
    if values.shape != size or values.dtype.kind not in "fiub":
        raise UsageError(
            f'"{path}" holds {"x".join(map(str, values.shape[::-1]))} numbers, '
            f"expected {size[1]}x{size[0]} like the pictures"
        )
    numbers = values.astype(np.float32)
    if not bool(((numbers >= 0) & (numbers <= 1)).all()):
        raise UsageError(f'"{path}" holds numbers outside 0 to 1')
    return torch.from_numpy(numbers)[None, None]
