"""Seven pictures of films each, and how far everything in the first is at those between.

A folder as Vimeo-90K's: anywhere below it, folders with ``im1.png`` to ``im7.png``. The index of a
triple is made once, from flow (``make_index``), and lies beside the pictures as
``dis_index_i_j_k.npy``: half size, float16, on the grid of picture i, as the authors of
InterpAny-Clearer store it.

Source: zzh-tech/InterpAny-Clearer, whose flow is RAFT's.
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
    """From two RGB pictures (H, W, 3) to where each pixel of the first is in the second, relative:
    (H, W, 2) pixels, x then y."""

log = logging.getLogger(__name__)

NUM: Final = 7
TRIPLES: Final = tuple(
    triple for t in combinations(range(NUM), 3) for triple in (t, (t[2], t[1], t[0]))
)
"""First, target, last, in both directions of time: 70."""
_HELD: Final = 0.05
"""Share of the septuplets that is for validation, the last ones."""
_WILDEST: Final = 1e4
"""Indices beyond are cut: float16 ends at 65504, and training clips them to 0..1 anyway."""


def distance_index(part: NDArray[np.float32], whole: NDArray[np.float32]) -> NDArray[np.float32]:
    """The partial motion projected on the whole one, as a share of it; NaN where nothing moves.

    Args:
        part: (H, W, 2), pixels: from the first picture to the target.
        whole: the same, from the first picture to the last.

    Returns:
        (H, W); outside 0..1 where something goes further, or back.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        index: NDArray[np.float32] = (part * whole).sum(-1) / np.square(whole).sum(-1)
    return index


def halved(index: NDArray[np.float32]) -> NDArray[np.float16]:
    """Means of 2 x 2, as it is stored; an odd last row or column is left out."""
    rows, columns = (n // 2 * 2 for n in index.shape)
    cells = index[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
    small: NDArray[np.float16] = np.clip(cells.mean((1, 3)), -_WILDEST, _WILDEST).astype(np.float16)
    return small


def folders(top: Path) -> list[Path]:
    """All septuplets below a folder, in the order of their names.

    Raises:
        OpenError: there is none.
    """
    found = sorted((p.parent for p in top.rglob(f"im{NUM}.png")), key=lambda p: natural_key(str(p)))
    if not found:
        raise OpenError(
            f'there is no septuplet in "{top}"', f"expected folders with im1.png to im{NUM}.png"
        )
    return found


def index_path(folder: Path, triple: Sequence[int]) -> Path:
    """Where the index of a triple lies; numbers count from 0."""
    return folder / "dis_index_{}_{}_{}.npy".format(*triple)


def make_index(top: Path, find: Finder, done: Callable[[int, int], None]) -> int:
    """Make what is missing of the indices of all septuplets below a folder.

    Args:
        top: the folder.
        find: finds flows; 42 a septuplet.
        done: told how many septuplets of how many are done.

    Returns:
        How many indices were made.
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
    """Picture ``number`` (0 to 6), (H, W, 3) RGB.

    Raises:
        OpenError: it is not there, or no picture.
    """
    path = folder / f"im{number + 1}.png"
    codes = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if codes is None:
        raise OpenError(f'"{path}" cannot be read as a picture')
    return np.ascontiguousarray(codes[..., ::-1], dtype=np.uint8)


class Septuplets:
    """Samples of them; the same number gives the same sample.

    Args:
        top: a folder whose indices are made.
        seed: of what is drawn from it.

    Raises:
        OpenError: there is no septuplet, or one without indices.
    """

    def __init__(self, top: Path, seed: int) -> None:
        every = folders(top)
        for folder in every:
            if not all(index_path(folder, triple).exists() for triple in TRIPLES):
                raise OpenError(
                    f'"{folder}" has no indices', f'rtvfi train --make-index "{top}" makes them'
                )
        num_held = max(1, round(_HELD * len(every))) if len(every) > 1 else 0
        self._shown = every[: len(every) - num_held]
        self._held = every[len(every) - num_held :] or every
        self._seed = seed

    def sample(
        self, number: int, num: int, *, has_reference: bool, is_small: bool, is_held: bool = False
    ) -> IndexSample:
        """Sample ``number`` of so many triples, uncropped, cut to the smallest of their sizes.

        Args:
            number: of it.
            num: triples.
            has_reference: with a picture from the first to the last and its index.
            is_small: blur the index as RIFE D is shown it.
            is_held: of those that are never trained on.
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
    """One of the 70 triples of a septuplet, each as likely."""
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
    """Three pictures of a septuplet; the middle one may be one of the ends.

    Args:
        folder: of the septuplet.
        triple: first, target and last, from 0.
        is_small: blur the index as RIFE D is shown it.
        has_index: read it; else it is the time.
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
    """The time everywhere, and the stored index as networks are shown it, for any of the pictures.

    What does not move goes with the time (the authors' loaders throw such samples away, or let them
    spoil the network).
    """
    first, target, last = triple
    time = (target - first) / (last - first)
    everywhere = torch.full_like(picture[:, :1], time)
    if not is_read or target in (first, last):
        return everywhere, everywhere
    stored = torch.from_numpy(np.load(index_path(folder, triple), allow_pickle=False))[None, None]
    small = torch.where(stored.isfinite(), stored.float(), time)
    gone = softened_small(small) if is_small else softened(enlarged(small))
    # an odd side has a row or column without an index: its neighbour's
    missing = picture.shape[-1] - gone.shape[-1], picture.shape[-2] - gone.shape[-2]
    return everywhere, functional.pad(gone, (0, missing[0], 0, missing[1]), mode="replicate")


def as_tensor(picture: Picture) -> Tensor:
    """(1, 3, H, W) float32, 0..1, of (H, W, 3) bytes."""
    return torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
