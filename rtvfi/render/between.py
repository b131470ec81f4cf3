"""Interpolation between still pictures, in floating point throughout: no rounding to 8 bits."""

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
"""Families whose networks accept a timestep map, one timestep per pixel."""


class Between:
    """A loaded model that interpolates between still pictures of one size.

    Args:
        model_id: an id of the catalogue.
        device_name: a value of ``--device``.
        size: (height, width) of the pictures.
        num_steps: steps per picture for a network with a reference picture; None = its default.

    Raises:
        UsageError: ``num_steps`` was given for a network without a reference picture.
        ModelError: the model cannot be loaded.
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
                    f'"{model_id}" computes every picture in one step',
                    hint="--iters works only with interpany-*-tr and interpany-*-dr",
                )
            self.model = self.model.in_steps(num_steps)

    def to_input(self, rgb: NDArray[np.float32]) -> Picture:
        """Convert a picture to the model's input.

        Args:
            rgb: (H, W, 3), RGB, [0, 1].

        Returns:
            (1, 3, H, W) RGB in the model's dtype and on its device, or ``Planes`` for a model that
            works on Y'CbCr.
        """
        image = torch.from_numpy(rgb).permute(2, 0, 1)[None]
        if self.model.info.picture == "rgb":
            return image.to(self.device, self.dtype).contiguous()
        kr, kb = KR, KB  # any matrix would do, as to_rgb inverts it
        red, green, blue = image[:, :1], image[:, 1:2], image[:, 2:]
        y = kr * red + (1 - kr - kb) * green + kb * blue
        uv = torch.cat(((blue - y) / (2 - 2 * kb), (red - y) / (2 - 2 * kr)), 1)
        return Planes(y.to(self.device, self.dtype), uv.to(self.device, self.dtype))

    def interpolate(self, a: Picture, b: Picture, ts: Sequence[float | Tensor]) -> list[Picture]:
        """Compute pictures between two.

        Args:
            a: the left picture in the form of ``to_input``.
            b: the right picture.
            ts: timesteps, 0 = a, 1 = b; or timestep maps, (1, 1, H, W).

        Returns:
            One picture per timestep, in the form that the model returns.

        Raises:
            UsageError: ``ts`` contains a map, and the model does not accept maps.
        """
        return list(self.iterate(a, b, ts))

    def iterate(self, a: Picture, b: Picture, ts: Sequence[float | Tensor]) -> Iterator[Picture]:
        """The same as ``interpolate``, but yields each picture as soon as it is computed."""
        if any(isinstance(t, torch.Tensor) for t in ts):
            self.check_maps()
        with torch.inference_mode():
            left, right = self.model.prepare(a), self.model.prepare(b)
        for t in ts:
            with torch.inference_mode():
                picture = self.model.pair(left, right, [t])
            yield picture

    def check_maps(self) -> None:
        """Raise UsageError if the model does not accept timestep maps."""
        if self.model.info.family not in _MAPPED:
            raise UsageError(
                f'"{self.model.info.id}" uses one time for all pixels',
                hint="maps need --model rife-* or interpany-*",
            )

    @staticmethod
    def to_rgb(picture: Picture) -> NDArray[np.float32]:
        """Convert a picture returned by the model to (H, W, 3), RGB, float32."""
        if isinstance(picture, Planes):
            kr, kb = KR, KB  # the matrix of to_input
            y, u, v = picture.y.float(), picture.uv[:, :1].float(), picture.uv[:, 1:].float()
            red, blue = y + (2 - 2 * kr) * v, y + (2 - 2 * kb) * u
            picture = torch.cat((red, (y - kr * red - kb * blue) / (1 - kr - kb), blue), 1)
        rgb: NDArray[np.float32] = picture[0].permute(1, 2, 0).float().cpu().numpy()
        return rgb


def read_map(path: Path, size: tuple[int, int]) -> Tensor:
    """Read a map with one number per pixel.

    Args:
        path: a picture, whose red channel is used (black = 0, white = 1), or a ``.npy`` file with
            an (H, W) array of numbers from 0 to 1.
        size: (height, width) that the map must have.

    Returns:
        (1, 1, H, W), float32, [0, 1].

    Raises:
        UsageError: it cannot be read, or has the wrong size or numbers outside 0 to 1.
    """
    if path.suffix == ".npy":
        try:
            values = np.load(path, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UsageError(f'"{path}" cannot be read as an array of numbers: {error}') from error
    else:
        values = read_still(path).rgb[..., 0]
    if values.shape != size or values.dtype.kind not in "fiub":
        raise UsageError(
            f'"{path}" contains {"x".join(map(str, values.shape[::-1]))} numbers, '
            f"expected {size[1]}x{size[0]} like the pictures"
        )
    numbers = values.astype(np.float32)
    if not bool(((numbers >= 0) & (numbers <= 1)).all()):
        raise UsageError(f'"{path}" contains numbers outside 0 to 1')
    return torch.from_numpy(numbers)[None, None]
