"""The interface of models.

A model is a pure function of pictures: it has parameters but no state. ``prepare`` computes what
depends on a single picture, and ``link`` (three-frame models) what two neighbouring triples share.
The executor (``stream.run``) caches these results and calls models under ``torch.inference_mode``.
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
    """A picture as normalised YUV planes, independent of range and bit depth.

    ``y``: (N, 1, H, W), [0, 1]. ``uv``: (N, 2, h, w), U then V, centred on 0, [-0.5, 0.5];
    h, w = ceil(H/2), ceil(W/2) for 4:2:0 and H, W for 4:4:4. float16 or float32, contiguous.
    Values slightly outside these ranges are allowed (headroom and footroom of limited range).
    """

    y: Tensor
    uv: Tensor


PictureKind = Literal["rgb", "yuv"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """A row of the catalogue: what callers need to know about a model before loading it."""

    id: str
    family: str
    """Name of the model's package in ``rtvfi.models``."""
    picture: PictureKind = "rgb"
    """The kind of pictures that the model takes and returns."""
    num_frames: Literal[2, 3] = 2
    """Number of input pictures."""
    pad_multiple: int
    """Pictures are padded to multiples of this, divided by the flow scale if that is below 1. The
    model pads and crops by itself.
    """
    gmac_1080p: float | None
    """10^9 multiply-adds for one frame at 1920x1080, flow scale 1; None if not measured."""
    licence: str = "MIT"
    weights: str | None = None
    """Name of the weight file to download for it; None if the model needs none."""
    runs_with: tuple[str, ...] = ()
    """All weight files it can use, including ``weights``, best first, if there are several. The
    first installed one is used.
    """
    is_torch_free: bool = False
    """Whether films are interpolated without torch, directly on the samples of their payloads
    (``stream.run.executors.codes``).
    """


def with_weights(
    model_id: str,
    family: str,
    pad_multiple: int,
    gmac: float,
    *,
    num_frames: Literal[2, 3] = 2,
    licence: str = "MIT",
) -> ModelInfo:
    """The catalogue row of a network for RGB pictures whose weight file is named as the model.

    Args:
        model_id: the model's id.
        family: its package in ``rtvfi.models``.
        pad_multiple: see ``ModelInfo``.
        gmac: 10^9 multiply-adds for one frame at 1920x1080.
        num_frames: number of input pictures.
        licence: of the weights.
    """
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
    """A two-frame model. It never modifies its inputs; they need the device and dtype of its
    weights.
    """

    info: ModelInfo

    def prepare(self, frame: Given) -> Prepared:
        """Compute everything that depends on only one picture, e.g. its features."""
        ...

    def pair(self, a: Prepared, b: Prepared, ts: Sequence[float | Tensor]) -> Picture:
        """Interpolate all frames between ``a`` and ``b`` at the timesteps ``ts``, in one call.

        Args:
            a: the left picture, prepared.
            b: the right picture, prepared.
            ts: 0 < t < 1, 0 = ``a``.

        Returns:
            Pictures of type ``info.picture`` with N = len(ts), without padding, not clamped.
        """
        ...


@runtime_checkable
class HasScales(Interpolator, Protocol):
    """A model that can estimate motion at several sizes."""

    flow_scale: float
    """Size at which motion is estimated, relative to the picture."""

    def at_scale(self, flow_scale: float) -> Interpolator:
        """The same model with the same parameters at another flow scale; pictures must be prepared
        again.

        Raises:
            UsageError: the model does not support that flow scale.
        """
        ...


@runtime_checkable
class HasLighter(Interpolator, Protocol):
    """A model that contains a faster one, which may replace it when it is too slow."""

    @property
    def lighter(self) -> Interpolator | None:
        """A two-frame model that uses a part of this model's parameters."""
        ...


@runtime_checkable
class HasMiddle(Interpolator, Protocol):
    """A model whose computed pictures remember the source pictures that they were computed from."""

    def middle(self, a: Prepared, b: Prepared) -> tuple[Picture, Prepared]:
        """Compute the picture half way between two.

        Returns:
            The picture, and the picture prepared for further pairs. Pictures computed from the
            latter are sampled from the original source pictures; passed through ``prepare``
            instead, the picture would itself be treated as a source picture.
        """
        ...


@runtime_checkable
class HasSteps(Interpolator, Protocol):
    """A model that can compute a picture in several steps, using the previous step's picture as a
    reference.
    """

    @property
    def has_reference(self) -> bool:
        """Whether the model takes a reference; if not, it always uses one step."""
        ...

    def in_steps(self, num_steps: int) -> Interpolator:
        """The same model with the same parameters, using ``num_steps`` steps, at least 1."""
        ...


@runtime_checkable
class TripleInterpolator(Interpolator, Protocol):
    """A three-frame model; ``pair`` is used where there is no third frame."""

    def link(self, a: Prepared, b: Prepared) -> Link:
        """Compute what the two triples that contain this pair share."""
        ...

    def triple(
        self,
        frames: tuple[Prepared, Prepared, Prepared],
        links: tuple[Link, Link],
        ts: Sequence[float],
    ) -> Picture:
        """Interpolate around the centre frame.

        Args:
            frames: the left, centre and right picture, prepared.
            links: the links of the left and of the right pair.
            ts: in [0.5, 1.5], 1 = the centre frame.

        Returns:
            Pictures with N = len(ts).
        """
        ...


class Runner(Protocol):
    """Runs a core, for example as a CUDA graph; it returns what ``core(*inputs)`` returns."""

    def __call__(self, core: Callable[..., R], *inputs: object) -> R:
        """Run the core.

        Args:
            core: performs the same operations for all inputs of the same sizes, on the device
                only, without copying anything from or to the host.
            inputs: tensors, and tuples of tensors and constants.
        """
        ...


def directly(core: Callable[..., R], *inputs: object) -> R:
    """The ``Runner`` that simply calls the core."""
    return core(*inputs)


@runtime_checkable
class HasCore(Interpolator, Protocol):
    """A model whose expensive part, the core, can be run in other ways (``fast``)."""

    def with_runner(self, runner: Runner) -> Interpolator:
        """The same model with the same parameters, whose core is run by ``runner``."""
        ...
