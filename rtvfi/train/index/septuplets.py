"""Septuplets (seven successive pictures of a film) and the distance indices of their triples.

The folder has the layout of Vimeo-90K: anywhere below it, folders with ``im1.png`` to ``im7.png``.
The index of a triple is computed once, from flow (``make_index``), and stored beside the pictures
as ``dis_index_i_j_k.npy``: half size, float16, on the grid of picture i, as the authors of
InterpAny-Clearer store it.

Source: zzh-tech/InterpAny-Clearer, which uses the flow of RAFT.
"""

from __future__ import annotations

import logging
from itertools import combinations
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import torch
from torch.nn import functional

from rtvfi.core.errors import OpenError
from rtvfi.core.files import natural_key, replacing
from rtvfi.models.interpany.index import enlarged, softened, softened_small
from rtvfi.models.interpany.parts import Reference
from rtvfi.train.index.data import IndexSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Generator, Tensor

    Picture = NDArray[np.uint8]
    Finder = Callable[[Picture, Picture], NDArray[np.float32]]
    """Computes the flow from the first to the second of two RGB pictures, (H, W, 3): (H, W, 2),
    pixels, x then y.
    """

log = logging.getLogger(__name__)

NUM: Final = 7
TRIPLES: Final = tuple(
    triple for t in combinations(range(NUM), 3) for triple in (t, (t[2], t[1], t[0]))
)
"""All 70 triples (first, target, last), in both directions of time."""
_HELD: Final = 0.05
"""Fraction of the septuplets reserved for validation, the last ones."""
_WILDEST: Final = 1e4
"""Indices are limited to this: float16 ends at 65504, and training clips them to 0..1 anyway."""


def distance_index(part: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """The partial motion projected onto the whole motion, as a fraction of it.

    Args:
        part: (H, W, 2), pixels: flow from the first picture to the target.
        whole: (H, W, 2), pixels: flow from the first picture to the last.

    Returns:
        (H, W); NaN where nothing moves, outside 0..1 where something overshoots or moves back.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        index: NDArray[np.float32] = (part * whole).sum(-1) / np.square(whole).sum(-1)
    return index


def halved(index: NDArray[np.float32]) -> NDArray[np.float16]:
    """Means of 2 x 2 pixels, the form in which an index is stored; an odd last row or column is
    dropped.
    """
    rows, columns = (n // 2 * 2 for n in index.shape)
    cells = index[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
    small: NDArray[np.float16] = np.clip(cells.mean((1, 3)), -_WILDEST, _WILDEST).astype(np.float16)
    return small


def folders(top: Path) -> list[Path]:
    """The folders of all septuplets below a folder, in natural order.

    Raises:
        OpenError: there are none.
    """
    found = sorted((p.parent for p in top.rglob(f"im{NUM}.png")), key=lambda p: natural_key(str(p)))
    if not found:
        raise OpenError(
            f'there is no septuplet in "{top}"', f"expected folders with im1.png to im{NUM}.png"
        )
    return found


def index_path(folder: Path, triple: Sequence[int]) -> Path:
    """The path of a triple's index; the numbers of the triple count from 0."""
    return folder / "dis_index_{}_{}_{}.npy".format(*triple)


def make_index(top: Path, find: Finder, done: Callable[[int, int], None]) -> int:
    """Compute the missing indices of all septuplets below a folder.

    Args:
        top: the folder.
        find: computes flow; called 42 times per septuplet.
        done: called with the number of finished septuplets and the number of all.

    Returns:
        How many indices were computed.
    """
    every, num_made = folders(top), 0
    for number, folder in enumerate(every, 1):
        missing = [triple for triple in TRIPLES if not index_path(folder, triple).exists()]
        pictures = [_read(folder, k) for k in range(NUM)] if missing else []
        flows: dict[tuple[int, int], NDArray[np.float32]] = {}
        for first, target, last in missing:
            for pair in ((first, target), (first, last)):
                if pair not in flows:
                    flows[pair] = find(pictures[pair[0]], pictures[pair[1]])
            index = halved(distance_index(flows[first, target], flows[first, last]))
            with replacing(index_path(folder, (first, target, last))) as part, part.open("wb") as f:
                np.save(f, index)
        num_made += len(missing)
        done(number, len(every))
    return num_made


def _read(folder: Path, number: int) -> Picture:
    """Read picture ``number`` (0 to 6) as (H, W, 3), RGB.

    Raises:
        OpenError: it is missing or cannot be read.
    """
    path = folder / f"im{number + 1}.png"
    codes = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if codes is None:
        raise OpenError(f'"{path}" cannot be read as a picture')
    return np.ascontiguousarray(codes[..., ::-1], dtype=np.uint8)


class Septuplets:
    """Draws samples from septuplets; the same number always gives the same sample.

    Args:
        top: a folder of septuplets with indices.
        seed: seed of the random choice.

    Raises:
        OpenError: there are no septuplets, or indices are missing.
    """

    def __init__(self, top: Path, seed: int) -> None:
        every = folders(top)
        for folder in every:
            if not all(index_path(folder, triple).exists() for triple in TRIPLES):
                raise OpenError(
                    f'"{folder}" has no indices',
                    f'compute them with: rtvfi train --make-index "{top}"',
                )
        num_held = max(1, round(_HELD * len(every))) if len(every) > 1 else 0
        self._shown = every[: len(every) - num_held]
        self._held = every[len(every) - num_held :] or every
        self._seed = seed

    def sample(
        self, number: int, num: int, *, has_reference: bool, is_small: bool, is_held: bool = False
    ) -> IndexSample:
        """Sample ``number``: ``num`` random triples, cropped to the smallest of their sizes.

        Args:
            number: of the sample.
            num: number of triples.
            has_reference: add a reference, any picture from the first to the last with its index.
            is_small: blur the index at half size, as RIFE D gets it.
            is_held: draw from the septuplets reserved for validation.
        """
        g = torch.Generator().manual_seed(self._seed * 5_000_011 + 2 * number + is_held)
        of = self._held if is_held else self._shown
        picked = [int(k) for k in torch.randint(0, len(of), (num,), generator=g)]
        rows = [_triple(of[k], g, has_reference=has_reference, is_small=is_small) for k in picked]
        height, width = (min(row.img0.shape[axis] for row in rows) for axis in (-2, -1))

        def together(parts: Iterable[Tensor]) -> Tensor:
            return torch.cat([part[..., :height, :width] for part in parts])

        sample = IndexSample(
            img0=together(row.img0 for row in rows),
            img1=together(row.img1 for row in rows),
            truth=together(row.truth for row in rows),
            time=together(row.time for row in rows),
            gone=together(row.gone for row in rows),
        )
        if not has_reference:
            return sample
        known = [row.reference for row in rows if row.reference is not None]
        times = [row.reference_time for row in rows if row.reference_time is not None]
        reference = Reference(together(r.picture for r in known), together(r.gone for r in known))
        return sample._replace(reference=reference, reference_time=together(times))


def _triple(folder: Path, g: Generator, *, has_reference: bool, is_small: bool) -> IndexSample:
    """A random triple of a septuplet; all 70 are equally likely."""
    triple = TRIPLES[int(torch.randint(0, len(TRIPLES), (), generator=g))]
    first, last = triple[0], triple[2]
    sample = triple_of(folder, triple, is_small=is_small)
    if not has_reference:
        return sample
    low, high = min(first, last), max(first, last)
    at = int(torch.randint(low, high + 1, (), generator=g))
    picture = {first: sample.img0, triple[1]: sample.truth, last: sample.img1}.get(at)
    if picture is None:
        picture = as_tensor(_read(folder, at))
    time, gone = _index(folder, (first, at, last), picture, is_small=is_small)
    return sample._replace(reference=Reference(picture, gone), reference_time=time)


def triple_of(
    folder: Path, triple: tuple[int, int, int], *, is_small: bool, has_index: bool = True
) -> IndexSample:
    """Read a triple of a septuplet with its index; the target may be one of the ends.

    Args:
        folder: of the septuplet.
        triple: numbers of first, target and last, counted from 0.
        is_small: blur the index at half size, as RIFE D gets it.
        has_index: read the index; otherwise the index is the time.
    """
    img0, truth, img1 = (as_tensor(_read(folder, k)) for k in triple)
    time, gone = _index(folder, triple, img0, is_small=is_small, is_read=has_index)
    return IndexSample(img0, img1, truth, time, gone)


def _index(
    folder: Path,
    triple: tuple[int, int, int],
    picture: Tensor,
    *,
    is_small: bool,
    is_read: bool = True,
) -> tuple[Tensor, Tensor]:
    """The uniform index, and the stored index clipped and blurred.

    Pixels that do not move get the time (the authors' loaders drop such samples, or pass NaN to the
    network).
    """
    first, target, last = triple
    time = (target - first) / (last - first)
    everywhere = torch.full_like(picture[:, :1], time)
    if not is_read or target in (first, last):
        return everywhere, everywhere
    stored = torch.from_numpy(np.load(index_path(folder, triple), allow_pickle=False))[None, None]
    small = torch.where(stored.isfinite(), stored.float(), time)
    gone = softened_small(small) if is_small else softened(enlarged(small))
    # with an odd side, the last row or column has no index: repeat its neighbour's
    missing = picture.shape[-1] - gone.shape[-1], picture.shape[-2] - gone.shape[-2]
    return everywhere, functional.pad(gone, (0, missing[0], 0, missing[1]), mode="replicate")


def as_tensor(picture: Picture) -> Tensor:
    """(1, 3, H, W) float32, 0..1, of (H, W, 3) bytes."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
