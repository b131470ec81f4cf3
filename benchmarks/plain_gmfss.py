"""GMFSS by its plain formulas, every step for every output: what ``rtvfi.models.gmfss`` is held to.

Two calls of GMFlow for a pair, features of both pictures each time, shifted windows by rolling and
adding -100, all scores in one table, the neighbourhood fetched at 81 places at once, every feature
splatted by itself, the picture made whole. Two pictures, a time and nothing else; sizes must fit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from rtvfi.models.warp import splat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

CHANNELS = 128


class PlainGmfss:
    """Any of the variants.

    Args:
        state: parameters by part and name.
        metric_tanh: whether the metrics end in 10 tanh(x).
        rife: for union, the picture of RIFE: from both at half size and t to (1, 3, h/2, w/2).
    """

    def __init__(
        self,
        state: Mapping[str, Tensor],
        *,
        metric_tanh: bool,
        rife: Callable[[Tensor, Tensor, float], Tensor] | None = None,
    ) -> None:
        self.state = dict(state)
        self.metric_tanh = metric_tanh
        self.rife = rife

    def __call__(self, a: Tensor, b: Tensor, t: float) -> Tensor:
        """The picture (1, 3, H, W) at ``t`` between two, [0, 1], H and W multiples of 64."""
        half_a, half_b = (_resized(x, 0.5) for x in (a, b))
        features_a, features_b = self.features(a), self.features(b)
        ab, ba = self.flow(half_a, half_b), self.flow(half_b, half_a)
        metric_a, metric_b = self.metrics(half_a, half_b, ab, ba)
        flow_a, flow_b = t * ab, (1 - t) * ba
        metric_a, metric_b = t * metric_a, (1 - t) * metric_b
        image_a = splat(half_a, flow_a, "soft", metric_a)
        image_b = splat(half_b, flow_b, "soft", metric_b)
        levels = []
        for k, s in enumerate((1.0, 0.5, 0.25)):
            first = splat(features_a[k], _resized(flow_a, s) * s, "soft", _resized(metric_a, s))
            second = splat(features_b[k], _resized(flow_b, s) * s, "soft", _resized(metric_b, s))
            levels.append(torch.cat((first, second), 1))
        if self.rife is None:
            seen = torch.cat((half_a, image_a, image_b, half_b), 1)
        else:
            seen = torch.cat((image_a, self.rife(half_a, half_b, t), image_b), 1)
        return self.fused(seen, levels).clamp(0, 1)

    # --- layers ------------------------------------------------------------------------------

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """A convolution that keeps the size, or divides it by ``stride``."""
        weight = self.state[f"{name}.weight"]
        bias = self.state.get(f"{name}.bias")
        return functional.conv2d(x, weight, bias, stride, weight.shape[-1] // 2)

    def prelu(self, name: str, x: Tensor) -> Tensor:
        """A learned slope."""
        return functional.prelu(x, self.state[f"{name}.weight"])

    def double(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        """Slope, convolution, slope, convolution."""
        x = self.conv(f"{name}.1", self.prelu(f"{name}.0", x), stride)
        return self.conv(f"{name}.3", self.prelu(f"{name}.2", x))

    def linear(self, name: str, x: Tensor) -> Tensor:
        """A matrix over the last dimension."""
        return functional.linear(x, self.state[f"{name}.weight"], self.state.get(f"{name}.bias"))

    def norm(self, name: str, x: Tensor) -> Tensor:
        """Layer norm."""
        weight, bias = self.state[f"{name}.weight"], self.state[f"{name}.bias"]
        return functional.layer_norm(x, weight.shape, weight, bias)

    # --- features, metrics, fusion -----------------------------------------------------------

    def features(self, image: Tensor) -> list[Tensor]:
        """At 1/2, 1/4 and 1/8 of the size."""
        found = []
        for i in (1, 2, 3):
            image = self.double(f"feat.block{i}", image, 2)
            found.append(image)
        return found

    def metrics(self, a: Tensor, b: Tensor, ab: Tensor, ba: Tensor) -> tuple[Tensor, Tensor]:
        """For the pixels of both pictures."""
        error_a = (a - fetched(b, ab)).abs().mean(1, keepdim=True)
        error_b = (b - fetched(a, ba)).abs().mean(1, keepdim=True)
        allowed = 0.01 * (ab.norm(dim=1, keepdim=True) + ba.norm(dim=1, keepdim=True)) + 0.5
        hidden_a = (ab + fetched(ba, ab)).norm(dim=1, keepdim=True) > allowed
        hidden_b = (ba + fetched(ab, ba)).norm(dim=1, keepdim=True) > allowed
        height, width = a.shape[-2:]
        half = torch.tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
        seen = (a, b, -error_a, -error_b, ab / half, ba / half, hidden_a.float(), hidden_b.float())
        x = self.conv("metric.metric_in", torch.cat(seen, 1))
        for i in (1, 2, 3):
            name = f"metric.metric_net{i}"
            x = self.conv(f"{name}.1", self.prelu(f"{name}.0", x)) + x
        x = self.conv("metric.metric_out.1", self.prelu("metric.metric_out.0", x))
        x = 10 * x.tanh() if self.metric_tanh else x
        return x[:, :1], x[:, 1:]

    def fused(self, seen: Tensor, levels: list[Tensor]) -> Tensor:
        """The fusion network."""

        def step(name: str, x: Tensor, stride: int = 1) -> Tensor:
            return self.double(f"fusionnet.{name}", x, stride)

        def kept(place: str, x: Tensor) -> Tensor:
            return step(f"residual_model_{place}", x) + x

        def down(place: str, x: Tensor) -> Tensor:
            return step(f"downsample_model_{place}", x, 2)

        def up(place: str, x: Tensor) -> Tensor:
            name = f"fusionnet.upsample_model_{place}"
            weight, bias = self.state[f"{name}.1.weight"], self.state[f"{name}.1.bias"]
            x = functional.conv_transpose2d(self.prelu(f"{name}.0", x), weight, bias, 2, 1)
            return self.conv(f"{name}.3", self.prelu(f"{name}.2", x))

        head = "residual_model_head" + ("" if self.rife is None else "0")
        x00 = step(head, seen) + step("residual_model_head1", levels[0])
        x01 = kept("01", x00)
        x10 = down("10", x00) + step("residual_model_head2", levels[1])
        x20 = down("20", x10) + step("residual_model_head3", levels[2])
        x11 = kept("11", x10) + down("11", x01)
        x21 = kept("21", x20) + down("21", x11)
        x24 = kept("24", x21)
        x25 = kept("25", x24)
        x14 = up("14", x24) + kept("14", x11)
        x04 = up("04", x14) + kept("04", x01)
        x15 = up("15", x25) + kept("15", x14)
        x05 = up("05", x15) + kept("05", x04)
        tail = "fusionnet.residual_model_tail"
        x = self.conv(f"{tail}.conv_before_upsample.0", x05)
        x = self.prelu(f"{tail}.conv_before_upsample.1", x)
        x = functional.pixel_shuffle(self.conv(f"{tail}.upsample.0", x), 2)
        return self.conv(f"{tail}.conv_last", x)

    # --- GMFlow ------------------------------------------------------------------------------

    def flow(self, a: Tensor, b: Tensor) -> Tensor:
        """From ``a`` to ``b``, in pixels."""
        (lo_a, hi_a), (lo_b, hi_b) = self.backbone(a), self.backbone(b)
        flow = None
        for own, other, splits in ((lo_a, lo_b, 2), (hi_a, hi_b, 8)):
            if flow is not None:
                flow = 2 * functional.interpolate(
                    flow, scale_factor=2, mode="bilinear", align_corners=True
                )
                other = fetched(other, flow)
            own, other = self.attended(own + codes(own, splits), other + codes(own, splits), splits)
            if flow is None:
                flow = self.filled(own, global_match(own, other))
            else:
                flow = self.smoothed(own, flow + local_match(own, other))
        assert flow is not None
        return self.enlarged(flow, own)

    def backbone(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Features at 1/8 and 1/4 of the size."""
        mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        norm, name = functional.instance_norm, "flownet.backbone"
        x = norm(self.conv(f"{name}.conv1", (image - mean) / deviation, 2)).relu()
        for stage in (1, 2, 3):
            for block in (0, 1):
                layer, stride = f"{name}.layer{stage}.{block}", 2 - block if stage == 2 else 1
                y = norm(self.conv(f"{layer}.conv1", x, stride)).relu()
                y = norm(self.conv(f"{layer}.conv2", y)).relu()
                if f"{layer}.downsample.0.weight" in self.state:
                    x = norm(self.conv(f"{layer}.downsample.0", x, stride))
                x = (x + y).relu()
        x = self.conv(f"{name}.conv2", x)
        return self.conv(f"{name}.trident_conv", x, 2), self.conv(f"{name}.trident_conv", x)

    def attended(self, own: Tensor, other: Tensor, splits: int) -> tuple[Tensor, Tensor]:
        """Both features after the transformer."""
        x = torch.cat((own, other)).permute(0, 2, 3, 1)
        for block in range(6):
            target = torch.cat(x.chunk(2)[::-1])
            name, shifted = f"flownet.transformer.layers.{block}", block % 2 == 1
            x = self.layer(f"{name}.self_attn", x, x, splits, shifted)
            x = self.layer(f"{name}.cross_attn_ffn", x, target, splits, shifted)
        own, other = x.permute(0, 3, 1, 2).chunk(2)
        return own, other

    def layer(self, name: str, x: Tensor, target: Tensor, splits: int, shifted: bool) -> Tensor:
        """Attention in windows, and the feed-forward part where there is one."""
        parts = [
            self.linear(f"{name}.{kind}_proj", of)
            for kind, of in (("q", x), ("k", target), ("v", target))
        ]
        _, height, width, _ = x.shape
        rows, columns = height // splits, width // splits
        shift = (rows // 2, columns // 2)
        if shifted:
            parts = [part.roll((-shift[0], -shift[1]), (1, 2)) for part in parts]
        query, key, value = (_windows(part, splits) for part in parts)
        scores = query @ key.transpose(1, 2) / math.sqrt(CHANNELS)
        if shifted:
            scores = scores + _forbidden(height, width, splits).repeat(len(x), 1, 1)
        message = _unwindowed(scores.softmax(-1) @ value, height, width, splits)
        if shifted:
            message = message.roll(shift, (1, 2))
        message = self.norm(f"{name}.norm1", self.linear(f"{name}.merge", message))
        if name.endswith("ffn"):
            y = functional.gelu(self.linear(f"{name}.mlp.0", torch.cat((x, message), -1)))
            message = self.norm(f"{name}.norm2", self.linear(f"{name}.mlp.2", y))
        return x + message

    def filled(self, features: Tensor, flow: Tensor) -> Tensor:
        """Flow spread over all pixels that look alike."""
        query = self.linear("flownet.feature_flow_attn.q_proj", features.flatten(2).mT)
        key = self.linear("flownet.feature_flow_attn.k_proj", query)
        weights = (query @ key.mT / math.sqrt(CHANNELS)).softmax(-1)
        return (weights @ flow.flatten(2).mT).mT.view_as(flow)

    def smoothed(self, features: Tensor, flow: Tensor) -> Tensor:
        """Flow spread over the 3 x 3 around each pixel."""
        batch, channels, height, width = features.shape
        tokens = features.permute(0, 2, 3, 1)
        query = self.linear("flownet.feature_flow_attn.q_proj", tokens).permute(0, 3, 1, 2)
        key = self.linear("flownet.feature_flow_attn.k_proj", tokens).permute(0, 3, 1, 2)
        keys = functional.unfold(key, 3, padding=1).view(batch, channels, 9, height, width)
        flows = functional.unfold(flow, 3, padding=1).view(batch, 2, 9, height, width)
        weights = ((query[:, :, None] * keys).sum(1) / math.sqrt(CHANNELS)).softmax(1)
        return (weights[:, None] * flows).sum(2)

    def enlarged(self, flow: Tensor, features: Tensor) -> Tensor:
        """Flow at four times the size."""
        x = self.conv("flownet.upsampler.0", torch.cat((flow, features), 1)).relu()
        batch, _, height, width = flow.shape
        weights = self.conv("flownet.upsampler.2", x).view(batch, 1, 9, 4, 4, height, width)
        around = functional.unfold(4 * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
        out = (weights.softmax(2) * around).sum(2)
        return out.permute(0, 1, 4, 2, 5, 3).reshape(batch, 2, 4 * height, 4 * width)


def _resized(x: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return x
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def places(height: int, width: int) -> Tensor:
    """(1, 2, h, w): x and y of every pixel."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack((x, y))[None].float()


def fetched(image: Tensor, flow: Tensor) -> Tensor:
    """``image`` where ``flow`` points, 0 outside."""
    height, width = image.shape[-2:]
    return at_places(image, places(height, width) + flow)


def at_places(image: Tensor, where: Tensor) -> Tensor:
    """``image`` at (N, 2, h, w) pixels, 0 outside."""
    height, width = image.shape[-2:]
    size = torch.tensor([(width - 1) / 2, (height - 1) / 2]).view(1, 2, 1, 1)
    grid = (where / size - 1).permute(0, 2, 3, 1)
    return functional.grid_sample(image, grid, padding_mode="zeros", align_corners=True)


def codes(features: Tensor, splits: int) -> Tensor:
    """Where a pixel is in its window."""
    height, width = (n // splits for n in features.shape[-2:])
    i = torch.arange(64)
    divisor = 10000 ** (2 * (i // 2) / 64)
    found = []
    for axis, size in enumerate((height, width)):
        place = torch.arange(1, size + 1) / (size + 1e-6) * 2 * math.pi
        angle = place[:, None] / divisor
        wave = torch.where(i % 2 == 0, angle.sin(), angle.cos()).T
        wave = wave[:, :, None] if axis == 0 else wave[:, None]
        found.append(wave.expand(64, height, width))
    return torch.cat(found)[None].repeat(1, 1, splits, splits)


def _windows(x: Tensor, splits: int) -> Tensor:
    batch, height, width, channels = x.shape
    x = x.view(batch, splits, height // splits, splits, width // splits, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(batch * splits**2, -1, channels)


def _unwindowed(x: Tensor, height: int, width: int, splits: int) -> Tensor:
    x = x.view(-1, splits, splits, height // splits, width // splits, x.shape[-1])
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, x.shape[-1])


def _forbidden(height: int, width: int, splits: int) -> Tensor:
    """-100 between pixels of a rolled picture that were not neighbours, (splits^2, L, L)."""
    region = torch.zeros(1, height, width, 1)
    for axis, size in ((1, height), (2, width)):
        window = size // splits
        for border in (size - window, size - window // 2):
            region.narrow(axis, border, size - border).add_(1 if axis == 1 else 10)
    tokens = _windows(region, splits)
    return -100.0 * (tokens != tokens.mT)


def global_match(own: Tensor, other: Tensor) -> Tensor:
    """Flow by matching with every pixel."""
    height, width = own.shape[-2:]
    scores = own.flatten(2).mT @ other.flatten(2) / math.sqrt(CHANNELS)
    grid = places(height, width)
    found = scores.softmax(-1) @ grid.flatten(2).mT
    return found.mT.view_as(grid) - grid


def local_match(own: Tensor, other: Tensor) -> Tensor:
    """Flow by matching with the 9 x 9 around each pixel."""
    batch, channels, height, width = own.shape
    steps = torch.tensor([(x, y) for y in range(-4, 5) for x in range(-4, 5)]).float()
    where = places(height, width)[:, :, None] + steps.T[None, :, :, None, None]
    x, y = where[:, 0], where[:, 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    there = at_places(other, where.flatten(2, 3)).view(batch, channels, 81, height, width)
    scores = (own[:, :, None] * there).sum(1) / math.sqrt(channels)
    weights = torch.where(inside, scores, -1e4).softmax(1)
    return torch.einsum("bkhw,kc->bchw", weights, steps)
