"""Converts payloads to planes and RGB on the device, and back.

Chroma is upsampled by linear interpolation at its true position, and downsampled by a short
symmetric filter that is the exact inverse: planes -> RGB -> planes returns every chroma sample, so
the colour of a frame made by an RGB model does not flicker between copies of source frames. The
filter pairs are the 5/3 wavelet of LeGall and Tabatabai (1988) along an axis where chroma sits on
every other luma sample, and (1, 3, 3, 1) / 4 with (-1, 3, 3, -1) / 4 where it sits between two.

Values are not clamped: codes beyond black and white are legal, and survive the conversion to RGB
and back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from rtvfi.core.colour import levels, luma_weights, rgb_from_yuv
from rtvfi.core.frame import Siting
from rtvfi.models.base import Planes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from rtvfi.core.frame import StreamInfo
    from rtvfi.models.base import Picture

    Payload = NDArray[np.uint8]


def is_finite(picture: Picture) -> Tensor:
    """Whether pictures contain neither NaN nor infinity: one bool tensor, on their device.

    Only every 64th sample is checked, because an overflow of half precision affects large areas.
    """
    luma = picture.y if isinstance(picture, Planes) else picture
    return torch.isfinite(luma[..., ::8, ::8]).all()


class Converter:
    """The conversions of one stream on one device; used by one thread.

    Results are new tensors that belong to the caller; only scratch tensors are kept between calls.
    The arithmetic is float32 whatever ``dtype`` is.

    Args:
        dtype: type of the planes and RGB pictures made from payloads.
    """

    def __init__(self, info: StreamInfo, device: torch.device, dtype: torch.dtype) -> None:
        self._info = info
        self._device = device
        self._dtype = dtype
        self._levels = levels(info)
        self._weights = luma_weights(info)
        self._from_yuv = rgb_from_yuv(info)
        self._is_halved = info.format.chroma_shift == 1
        siting = info.color.siting
        self._is_between_rows = siting is not Siting.TOP_LEFT
        self._is_between_columns = siting is Siting.CENTRE
        self._shapes = info.format.plane_shapes(info.width, info.height)
        self._code_type = torch.uint8 if info.format.bits == 8 else torch.int16
        self._scratches: dict[str, Tensor] = {}

    def upload(self, payload: Payload) -> tuple[Tensor, Tensor]:
        """The raw codes on the device.

        Args:
            payload: a payload of the stream; on the CPU the result shares its memory.

        Returns:
            Y (1, 1, H, W) and UV (1, 2, h, w); uint8, or int16 for 10 bit.
        """
        return self._split(torch.from_numpy(payload).to(self._device))

    def to_planes(self, payload: Payload | Tensor) -> Planes:
        """Normalised planes, N = 1.

        Args:
            payload: a payload of the stream, or its bytes on the device as uint8.
        """
        y, uv = self._normalised(payload)
        return Planes(y.to(self._dtype), uv.to(self._dtype))

    def to_rgb(self, payload: Payload | Tensor) -> Tensor:
        """A payload as RGB, (1, 3, H, W), in [0, 1]; codes that are no colour map to values
        outside.

        Args:
            payload: as for ``to_planes``.
        """
        return self._rgb(*self._normalised(payload)).to(self._dtype)

    def planes_to_rgb(self, planes: Planes) -> Tensor:
        """Planes of any N as RGB, (N, 3, H, W), like ``to_rgb``."""
        return self._rgb(planes.y.float(), planes.uv.float()).to(self._dtype)

    def from_rgb(self, rgb: Tensor) -> Planes:
        """Planes of RGB pictures.

        Args:
            rgb: (N, 3, H, W) of the stream's size, any float type, [0, 1].

        Returns:
            float32 planes for ``from_planes``.
        """
        num, _, height, width = self._checked(rgb, (3, *self._shapes[0]))
        red, green, blue = (rgb[:, i : i + 1].float() for i in range(3))
        kr, kb = self._weights
        y = torch.mul(red, kr).add_(green, alpha=1 - kr - kb).add_(blue, alpha=kb)
        difference = self._scratch("difference", (num, 2, height, width))
        torch.sub(blue, y, out=difference[:, :1])
        torch.sub(red, y, out=difference[:, 1:])
        if self._is_halved:
            halved = self._scratch("halved", (num, 2, self._shapes[1][0], width))
            _halve(difference, halved, dim=2, is_between=self._is_between_rows)
            uv = difference.new_empty((num, 2, *self._shapes[1]))
            _halve(halved, uv, dim=3, is_between=self._is_between_columns)
        else:
            uv = difference.clone()
        uv[:, :1].mul_(0.5 / (1 - kb))
        uv[:, 1:].mul_(0.5 / (1 - kr))
        return Planes(y, uv)

    def planes_of(self, picture: Picture) -> Planes:
        """Pictures as a model gives them, planes or RGB, ready for ``from_planes``."""
        return picture if isinstance(picture, Planes) else self.from_rgb(picture)

    def from_planes(self, planes: Planes) -> list[Payload]:
        """N payloads; values are rounded to the nearest code and clipped to the range of codes.

        Args:
            planes: planes of the stream's size, any N, any float type.

        Returns:
            New arrays, complete on the host.
        """
        host = np.empty((len(planes.y), self._info.payload_bytes), np.uint8)
        if self._device.type == "cpu":
            self.write(planes, torch.from_numpy(host))
        else:
            codes = torch.empty(host.shape, dtype=torch.uint8, device=self._device)
            self.write(planes, codes)
            torch.from_numpy(host).copy_(codes)
        return list(host)

    def write(self, planes: Planes, out: Tensor) -> None:
        """Write the codes of pictures on the device, like ``from_planes``.

        Args:
            planes: as for ``from_planes``.
            out: (N, bytes of a payload) uint8, contiguous; written to.
        """
        self._checked(planes.y, (1, *self._shapes[0]))
        self._checked(planes.uv, (2, *self._shapes[1]))
        samples = out.view(self._code_type)
        split = planes.y[0].numel()
        scale = self._levels
        self._encode(planes.y, samples[:, :split], scale.y_span, scale.y_zero)
        self._encode(planes.uv, samples[:, split:], scale.uv_span, scale.uv_zero)

    def _split(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        codes = codes.view(self._code_type)
        (height, width), (rows, columns), _ = self._shapes
        y, uv = codes[: height * width], codes[height * width :]
        return y.view(1, 1, height, width), uv.view(1, 2, rows, columns)

    def _normalised(self, payload: Payload | Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(payload, torch.Tensor):
            y, uv = self._split(payload)
        else:
            y, uv = self.upload(payload)
        scale = self._levels
        return (
            y.float().sub_(scale.y_zero).mul_(1 / scale.y_span),
            uv.float().sub_(scale.uv_zero).mul_(1 / scale.uv_span),
        )

    def _rgb(self, y: Tensor, uv: Tensor) -> Tensor:
        num, _, height, _ = y.shape
        small = self._scratch("small", (num, 3, *uv.shape[2:]))
        for i, (_, of_u, of_v) in enumerate(self._from_yuv):
            torch.mul(uv[:, :1], of_u, out=small[:, i : i + 1]).add_(uv[:, 1:], alpha=of_v)
        if not self._is_halved:
            return small + y
        tall = self._scratch("tall", (num, 3, height, uv.shape[3])).zero_()
        _add_doubled(small, tall, dim=2, is_between=self._is_between_rows)
        rgb = y.repeat(1, 3, 1, 1)
        _add_doubled(tall, rgb, dim=3, is_between=self._is_between_columns)
        return rgb

    def _encode(self, plane: Tensor, out: Tensor, span: int, zero: int) -> None:
        # Adding one half and truncating rounds; the scratch keeps the model's picture unchanged.
        scratch = self._scratch(f"codes{plane.shape[1]}", tuple(plane.shape))
        torch.mul(plane.float(), span, out=scratch).add_(zero + 0.5)
        scratch.clamp_(0, self._levels.top + 0.5)
        # Via int16, because torch 2.13 takes three times as long from float to uint8 directly.
        out.copy_(scratch.flatten(1).to(torch.int16))

    def _scratch(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """A float32 scratch tensor of undefined content, the same one for each name and shape."""
        found = self._scratches.get(name)
        if found is None or found.shape != shape:
            # A tensor created in inference mode could not be written to outside of it.
            with torch.inference_mode(mode=False):
                found = torch.empty(shape, dtype=torch.float32, device=self._device)
            self._scratches[name] = found
        return found

    def _checked(self, tensor: Tensor, wanted: tuple[int, ...]) -> torch.Size:
        if tensor.dim() != 4 or tuple(tensor.shape[1:]) != wanted:
            raise ValueError(
                f"wanted (N, {', '.join(map(str, wanted))}), got {tuple(tensor.shape)}"
            )
        return tensor.shape


def _add_doubled(source: Tensor, out: Tensor, *, dim: int, is_between: bool) -> None:
    """Add ``source``, interpolated to twice its length along ``dim``; the ends repeat.

    Args:
        is_between: source sample k sits between samples 2k and 2k + 1 of ``out``; else on 2k.
    """
    even, odd = _even_odd(out, dim)
    paired = source.narrow(dim, 0, odd.shape[dim])
    before = source.narrow(dim, 0, source.shape[dim] - 1)
    after = source.narrow(dim, 1, source.shape[dim] - 1)
    near, far = (0.75, 0.25) if is_between else (0.5, 0.5)
    odd.add_(paired, alpha=near)
    odd.narrow(dim, 0, min(after.shape[dim], odd.shape[dim])).add_(after, alpha=far)
    if odd.shape[dim] == source.shape[dim]:
        _last(odd, dim).add_(_last(source, dim), alpha=far)
    if not is_between:
        even.add_(source)
        return
    even.add_(source, alpha=near)
    even.narrow(dim, 1, before.shape[dim]).add_(before, alpha=far)
    even.narrow(dim, 0, 1).add_(source.narrow(dim, 0, 1), alpha=far)


def _halve(source: Tensor, out: Tensor, *, dim: int, is_between: bool) -> None:
    """The inverse of ``_add_doubled``: write to ``out`` the samples that it doubles to
    ``source``.
    """
    even, odd = _even_odd(source, dim)
    if not odd.shape[dim]:
        out.copy_(even)
    elif is_between:
        _halve_between(even, odd, out, dim)
    else:
        _halve_on(even, odd, out, dim)


def _halve_between(even: Tensor, odd: Tensor, out: Tensor, dim: int) -> None:
    """(-1, 3, 3, -1) / 4 around each pair; past the ends the end sample repeats."""
    pairs, others = _sum_of_odd(even, odd, out, dim, (0.75, -0.25))
    out.narrow(dim, 0, 1).sub_(even.narrow(dim, 0, 1), alpha=0.25)
    out.narrow(dim, 0, others).sub_(even.narrow(dim, 1, others), alpha=0.25)
    if pairs > others:
        _last(out, dim).sub_(_last(odd, dim), alpha=0.25)
    else:
        # The last sample has no right half: solve even = 3/4 own + 1/4 of the one before.
        torch.mul(_last(even, dim), 4 / 3, out=_last(out, dim))
        _last(out, dim).sub_(out.narrow(dim, others - 1, 1), alpha=1 / 3)


def _halve_on(even: Tensor, odd: Tensor, out: Tensor, dim: int) -> None:
    """(-1, 2, 6, 2, -1) / 8 around each even sample; mirrored at the start, repeated at the end."""
    pairs, others = _sum_of_odd(even, odd, out, dim, (0.25, 0.25))
    out.narrow(dim, 0, 1).add_(odd.narrow(dim, 0, 1), alpha=0.25)
    out.narrow(dim, 1, others).sub_(even.narrow(dim, 0, others), alpha=0.125)
    out.narrow(dim, 0, 1).sub_(even.narrow(dim, min(1, others), 1), alpha=0.125)
    out.narrow(dim, 0, others).sub_(even.narrow(dim, 1, others), alpha=0.125)
    if pairs == others:  # no odd sample after the last even one: use the even one instead
        _last(out, dim).add_(_last(even, dim), alpha=0.25)
    _last(out, dim).sub_(_last(even, dim), alpha=0.125)


def _sum_of_odd(
    even: Tensor, odd: Tensor, out: Tensor, dim: int, weights: tuple[float, float]
) -> tuple[int, int]:
    """Initialise ``out``: 3/4 of each even sample plus weighted odd samples after and before it.

    Returns:
        (number of odd samples, number of even samples except the first).
    """
    pairs, others = odd.shape[dim], out.shape[dim] - 1
    torch.mul(even, 0.75, out=out)
    out.narrow(dim, 0, pairs).add_(odd, alpha=weights[0])
    out.narrow(dim, 1, others).add_(odd.narrow(dim, 0, others), alpha=weights[1])
    return pairs, others


def _even_odd(tensor: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    index = [slice(None)] * dim
    return tensor[(*index, slice(0, None, 2))], tensor[(*index, slice(1, None, 2))]


def _last(tensor: Tensor, dim: int) -> Tensor:
    return tensor.narrow(dim, tensor.shape[dim] - 1, 1)
