"""The networks of InterpAny-Clearer as models: recognition, padding, several timesteps, steps."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import torch
from torch.nn import functional

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.family import check_no_others, check_parameters
from rtvfi.models.interpany.amt import TINY, AmtNet
from rtvfi.models.interpany.ema import EmaNet
from rtvfi.models.interpany.ifrnet import IFRNet
from rtvfi.models.interpany.parts import Reference
from rtvfi.models.interpany.rife import RifeNet, widths_of
from rtvfi.models.interpany.rows import NUM_STEPS
from rtvfi.models.interpany.schedule import step_by_step
from rtvfi.models.scaled import ScaledCore
from rtvfi.models.tuning import in_layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from rtvfi.models.family import State
    from rtvfi.models.interpany.parts import Network, Padding

PREFIX: Final = "interpany"

_MARKERS: Final = {
    "rife": "contextnet.conv1.conv1.0.weight",
    "amt": "update4.convc1.weight",
    "ema": "feature_bone.block1.conv.0.weight",
    "ifrnet": "decoder4.convblock.0.0.weight",
}
"""A parameter that identifies each network; checked in this order."""
_WITHOUT_REFERENCE: Final = {"amt": 2 * 56 + 1, "ema": 3, "ifrnet": 2 * 96 + 1}
"""Input channels, without reference, of the first convolution that takes the reference."""
_FIRST: Final = _MARKERS | {"amt": "decoder4.convblock.0.0.weight"}


def network_name(state: Mapping[str, Tensor]) -> str | None:
    """The network that a state dict without prefix looks like, by one parameter; None if none."""
    for name, key in _MARKERS.items():
        if key in state:
            return name
    return None


def empty_network(state: Mapping[str, Tensor]) -> tuple[str, Network]:
    """The network of a state dict, on the meta device, and its name.

    Returns:
        The name as in the manifest (``interpany rife``, with reference ``interpany rife-r``), and
        the network without memory for its parameters.

    Raises:
        WeightsMismatch: the state dict is of none of the networks.
    """
    name = network_name(state)
    if name is None:
        raise WeightsMismatch("the weights contain none of the networks rife, ifrnet, amt and ema")
    try:
        with torch.device("meta"):
            if name == "rife":
                has_reference, widths = widths_of(state)
                net: Network = RifeNet(has_reference, widths)
            else:
                has_reference = int(state[_FIRST[name]].shape[1]) != _WITHOUT_REFERENCE[name]
                net = {"ifrnet": IFRNet, "amt": AmtNet, "ema": EmaNet}[name](has_reference)
    except KeyError as error:
        raise WeightsMismatch(f"the parameter {error} is missing") from error
    return f"{PREFIX} {name}{'-r' if has_reference else ''}", net


def expected_parameters(state: Mapping[str, Tensor]) -> tuple[str, dict[str, tuple[int, ...]]]:
    """The name of the network of a state dict, and the shapes of all its parameters by name."""
    name, net = empty_network(state)
    return name, {key: tuple(value.shape) for key, value in net.state_dict().items()}


def plain_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict without the prefix ``module.`` and without buffers.

    Training on several devices adds the prefix, running EMA-VFI adds the buffers.
    """
    grown = (".attn_mask", ".HW")
    return {k.removeprefix("module."): v for k, v in state.items() if not k.endswith(grown)}


def network_of(state: Mapping[str, Tensor]) -> tuple[str, Network]:
    """The network of a state dict, with its parameters and ready to run, and its name.

    Raises:
        WeightsMismatch: the state dict is of none of the networks; the message names a parameter.
    """
    state = plain_state(state)
    name, net = empty_network(state)
    wanted = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    check_parameters(state, wanted, name)
    check_no_others(state, wanted, name)
    net.load_state_dict(dict(state), assign=True)
    return name, net.eval().requires_grad_(False)


class Prepared(NamedTuple):
    """A prepared picture."""

    image: Tensor
    """(1, 3, H', W'), padded."""
    around: tuple[int, int, int, int]
    """Padding on the left, on the right, above and below, in pixels."""
    height: int
    """Height of the picture without padding."""
    width: int


class Interpany(ScaledCore):
    """An ``Interpolator``; a timestep may also be a distance index (1, 1, H, W) on the grid of the
    left picture. Parameter names may have the prefix ``module.``.
    """

    def _load(self, state: State) -> None:
        tuning = self.tuning
        self.network, net = network_of(state)
        if isinstance(net, AmtNet):
            net.margin = 0.0 if self.info.id.endswith("-t") else TINY
        layout = torch.channels_last if tuning.channels_last else torch.preserve_format
        self.net: Network = in_layout(net.to(tuning.device, tuning.dtype), layout)
        self.num_steps = NUM_STEPS

    @property
    def has_reference(self) -> bool:
        """Whether the network takes a reference; if not, it always uses one step."""
        return self.net.has_reference

    def in_steps(self, num_steps: int) -> Self:
        """The same network using ``num_steps`` steps, at least 1; without reference always one."""
        other = copy.copy(self)
        other.num_steps = num_steps
        return other

    def prepare(self, frame: Tensor) -> Prepared:
        """Clamp a (1, 3, H, W) picture to [0, 1] and pad it."""
        height, width = frame.shape[-2:]
        around = _around(height, width, self.net.padding, self.flow_scale)
        image = frame.to(self.tuning.dtype).clamp(0, 1)
        if self.net.padding.fill == "zero":
            return Prepared(functional.pad(image, around), around, height, width)
        return Prepared(functional.pad(image, around, mode="replicate"), around, height, width)

    def pair(self, a: Prepared, b: Prepared, ts: Sequence[float | Tensor]) -> Tensor:
        """Interpolate at the timesteps: (len(ts), 3, H, W), in the dtype of the network."""
        return self.at_indices(a, b, torch.cat([self._index(a, t) for t in ts]))

    def at_indices(self, a: Prepared, b: Prepared, indices: Tensor) -> Tensor:
        """``pair`` for distance indices (N, 1, H', W') of padded size, float32."""
        out: Tensor = self._run(self._made, a.image, b.image, indices)
        return _uncovered(out, a)

    def shown(self, picture: Prepared) -> Tensor:
        """The original picture of a prepared one, (1, 3, H, W)."""
        return _uncovered(picture.image, picture)

    def _index(self, a: Prepared, t: float | Tensor) -> Tensor:
        """A timestep as a padded distance index, (1, 1, H', W') float32."""
        device = self.tuning.device
        whole = torch.as_tensor(t, dtype=torch.float32, device=device)
        if whole.numel() == 1:
            return whole.reshape(1, 1, 1, 1).expand(1, 1, *a.image.shape[-2:])
        return functional.pad(whole.expand(1, 1, a.height, a.width), a.around, mode="replicate")

    def _made(self, img0: Tensor, img1: Tensor, indices: Tensor) -> Tensor:
        """The core: computes the pictures at (N, 1, H', W') indices, one after the other."""
        shared = self.net.encode(img0, img1, self.flow_scale)
        return torch.cat([self._one(shared, img0, index[None]) for index in indices])

    def _one(self, shared: object, img0: Tensor, index: Tensor) -> Tensor:
        if not self.net.has_reference:
            return self.net.decode(shared, index).picture
        start = Reference(img0, torch.zeros_like(index))
        return step_by_step(self.net, shared, index, start, self.num_steps).picture


def _uncovered(image: Tensor, like: Prepared) -> Tensor:
    left, _, above, _ = like.around
    return image[..., above : above + like.height, left : left + like.width]


def _around(
    height: int, width: int, padding: Padding, flow_scale: float
) -> tuple[int, int, int, int]:
    """The padding on the left, on the right, above and below, in pixels."""
    share = min(flow_scale, 1)
    out: list[int] = []
    for side in (width, height):
        long = max(side, int(padding.least / share))
        extra = long - side + -long % int(padding.multiple / share)
        before = extra // 2 if padding.is_centred else 0
        out += [before, extra - before]
    return out[0], out[1], out[2], out[3]
