"""The contract between the live path and a network.

A model is a pure function of pictures: it owns parameters and nothing else. Everything that may be
cached per picture is in ``prepare``; what two neighbouring pairs share is in ``link`` (three-frame
models); the executor (``stream.run``) owns the caches and calls under
``torch.inference_mode``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    TypeVar,
    runtime_checkable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

MANY: Final = 1 << 16
"""Pictures in one call, or prepared ones that are kept, where nothing bounds them."""


class Planes(NamedTuple):
    """A picture as normalised YUV planes (range and bit depth removed).

    ``y``: (N, 1, H, W), [0, 1]. ``uv``: (N, 2, h, w), U then V, centred on 0, [-0.5, 0.5];
    h, w = ceil(H/2), ceil(W/2) for 4:2:0 and H, W for 4:4:4. float16 or float32, contiguous.
    Head- and footroom codes lie slightly outside the ranges.
    """

    y: Tensor
    uv: Tensor


PictureKind = Literal["rgb", "yuv"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """What a caller must know before it has the weights."""

    id: str
    family: str
    """Name of the package in ``rtvfi.models`` that knows how to run it."""
    picture: PictureKind = "rgb"
    num_frames: Literal[2, 3] = 2
    """Pictures one call looks at."""
    pad_multiple: int
    """Sizes become multiples of this at flow scale 1, of ``pad_multiple / flow_scale`` below; the
    model pads and crops by itself."""
    gmac_1080p: float | None
    """10^9 multiply-adds for one frame at 1920x1080, flow_scale 1; None when not measured."""
    licence: str = "MIT"
    weights: str | None = None
    """Name of the weight file that is fetched for it; None when the model needs none."""
    runs_with: tuple[str, ...] = ()
    """Weight files it can run with where there are several, the best first, ``weights`` among
    them; the first one that is here is taken.
    """
    is_torch_free: bool = False
    """Whether films are made without torch, from the samples of payloads (``stream.run.codes``)."""


def with_weights(
    model_id: str,
    family: str,
    pad_multiple: int,
    gmac: float,
    *,
    num_frames: Literal[2, 3] = 2,
    licence: str = "MIT",
) -> ModelInfo:
    """The row of a network for RGB pictures whose weight file has the model's name."""
    return ModelInfo(
        id=model_id,
        family=family,
        pad_multiple=pad_multiple,
        gmac_1080p=gmac,
        num_frames=num_frames,
        licence=licence,
        weights=f"{model_id}.safetensors",
    )


# Any and not object, for every model takes pictures of its own kind (``ModelInfo.picture``), and
# back what it gave itself.
Given = Any
"""A picture of the model's kind."""
Prepared = Any
"""A model's own view of one picture: padding, encoder features. Opaque to callers."""
Link = Any
"""What neighbouring pairs share (a three-frame model's flow). Opaque to callers."""
Picture: TypeAlias = "Tensor | Planes"
"""A Tensor (1, 3, H, W) for ``picture == "rgb"``, ``Planes`` for "yuv"."""

R = TypeVar("R")


@runtime_checkable
class Interpolator(Protocol):
    """A two-frame model. It never writes to its inputs; device and dtype are its weights'."""

    info: ModelInfo

    def prepare(self, frame: Given) -> Prepared:
        """Everything that depends on one picture alone."""
        ...

    def pair(self, a: Prepared, b: Prepared, ts: Sequence[float | Tensor]) -> Picture:
        """All frames between ``a`` and ``b`` at timesteps ``ts`` (0 < t < 1, 0 = a), in one call.

        Returns:
            The picture type with N = len(ts), unpadded, not clamped.
        """
        ...


@runtime_checkable
class HasScales(Interpolator, Protocol):
    """A model that can estimate motion at other sizes."""

    flow_scale: float
    """As a share of the picture's size."""

    def at_scale(self, flow_scale: float) -> Interpolator:
        """The same network, same parameters, at another flow scale; pictures are prepared anew.

        Raises:
            UsageError: it does not know that one.
        """
        ...


@runtime_checkable
class HasLighter(Interpolator, Protocol):
    """A model that holds another one, which may stand in for it."""

    @property
    def lighter(self) -> Interpolator | None:
        """A two-frame model made of its own parameters."""
        ...


@runtime_checkable
class HasMiddle(Interpolator, Protocol):
    """A model that knows what a picture was made of, and makes others of that."""

    def middle(self, a: Prepared, b: Prepared) -> tuple[Picture, Prepared]:
        """The picture half way, and the same ready for any pair: pictures made of it take their
        samples from source pictures. Prepared by ``prepare``, it is a source picture itself.
        """
        ...


@runtime_checkable
class HasSteps(Interpolator, Protocol):
    """A model that may go to a picture in several steps, each one looking at the one before."""

    @property
    def has_reference(self) -> bool:
        """Whether it does; else there is one step, whatever is asked."""
        ...

    def in_steps(self, num_steps: int) -> Interpolator:
        """The same network, same parameters, in so many steps, at least 1."""
        ...


@runtime_checkable
class TripleInterpolator(Interpolator, Protocol):
    """A three-frame model; it still offers ``pair`` for places without a third frame."""

    def link(self, a: Prepared, b: Prepared) -> Link:
        """What the triples left and right of this pair share."""
        ...

    def triple(
        self,
        frames: tuple[Prepared, Prepared, Prepared],
        links: tuple[Link, Link],
        ts: Sequence[float],
    ) -> Picture:
        """Frames around the centre at ``ts`` in [0.5, 1.5], 1 = the centre picture; N = len(ts)."""
        ...


class Runner(Protocol):
    """How a core is run; it gives what ``core(*inputs)`` gives."""

    def __call__(self, core: Callable[..., R], *inputs: object) -> R:
        """Run it.

        Args:
            core: the same work for inputs of the same sizes, on the device alone: it reads nothing
                back and takes nothing from the host.
            inputs: tensors, and tuples of tensors and constants.
        """
        ...


def directly(core: Callable[..., R], *inputs: object) -> R:
    """The ``Runner`` that calls."""
    return core(*inputs)


@runtime_checkable
class HasCore(Interpolator, Protocol):
    """A model whose costly part may be run in other ways (``fast``)."""

    def with_runner(self, runner: Runner) -> Interpolator:
        """The same network, same parameters, its core run by ``runner``."""
        ...
