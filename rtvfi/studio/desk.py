"""The state behind the page: two pictures, the film they come from, and rendering jobs."""

from __future__ import annotations

import zipfile
from fractions import Fraction
from typing import TYPE_CHECKING, Final, TypedDict

from rtvfi.core.errors import UsageError
from rtvfi.core.program import command_line
from rtvfi.models.catalogue import MODELS
from rtvfi.models.interpany.rows import has_reference, named, takes_distance
from rtvfi.models.weights.store import is_available
from rtvfi.studio.codec import (
    bytes_of,
    fitted,
    fitted_mask,
    jpeg_of,
    mask_of,
    picture_of,
    png_of,
)
from rtvfi.studio.cut_out import cut_out
from rtvfi.studio.jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from rtvfi.render.between import Between
    from rtvfi.studio.film import Film, Frame
    from rtvfi.studio.jobs import Job
    from rtvfi.studio.wish import Wish

    Rgb = NDArray[np.float32]
    Cut = Callable[[NDArray[np.uint8], Sequence[float]], NDArray[np.bool_]]

PREVIEW: Final = 480
"""Length of the longer side of preview pictures, pixels."""
_CROSS_FADE: Final = "linear"
"""The model that needs no weights; it shows the pace of the whole picture only, not of objects."""


class Usable(TypedDict):
    """A model, for the page."""

    id: str
    maps: bool
    """Whether it takes a distance index per pixel."""
    steps: bool
    """Whether it can compute a picture in several steps."""


def usable_models() -> list[Usable]:
    """The models that the page offers, networks trained with distance maps first."""
    mapped, plain = (
        [row.id for row in MODELS.values() if row.family == family and is_available(row)]
        for family in ("interpany", "rife")
    )
    # Variants D first, and the newest RIFE; variants T use the time and ignore the map.
    mapped.sort(key=lambda name: not takes_distance(named(name).variant))
    return [
        *(Usable(id=n, maps=True, steps=has_reference(named(n).variant)) for n in mapped),
        *(Usable(id=name, maps=True, steps=False) for name in reversed(plain)),
        Usable(id=_CROSS_FADE, maps=False, steps=False),
    ]


class Desk:
    """The state of one studio: pictures, film and jobs.

    Args:
        device: where networks run, a value of ``--device``.
        folder: for exported files; the caller removes it.
        film: the film to pick frames from, if there is one.
        cut: the function that turns a box into a mask, like ``cut_out``.
    """

    def __init__(
        self, device: str, folder: Path, film: Film | None = None, cut: Cut = cut_out
    ) -> None:
        self.film = film
        self.jobs = Jobs()
        self._device = device
        self._folder = folder
        self._cut = cut
        self._ends: list[Rgb | None] = [None, None]
        self.versions = [0, 0]
        """Version numbers of both pictures, incremented whenever a picture changes."""
        self.picked = Fraction(0)
        """Position of the first picture in the film, seconds."""
        self._models: dict[tuple[object, ...], Between] = {}

    # ---- pictures ----

    def end(self, which: int) -> Rgb:
        """The first (0) or last (1) picture, (H, W, 3), RGB, [0, 1].

        Raises:
            UsageError: it has not been chosen yet.
        """
        rgb = self._ends[which]
        if rgb is None:
            raise UsageError(f"there is no {('first', 'last')[which]} picture yet")
        return rgb

    @property
    def sizes(self) -> list[tuple[int, int] | None]:
        """(width, height) of both pictures; None where there is no picture yet."""
        return [None if e is None else (e.shape[1], e.shape[0]) for e in self._ends]

    def put(self, which: int, rgb: Rgb) -> None:
        """Use this picture as the first (0) or last (1) one."""
        self._ends[which] = rgb
        self.versions[which] += 1

    def put_file(self, which: int, data: bytes, name: str) -> None:
        """Use a picture file that the user chose in the page.

        Raises:
            OpenError: it cannot be read, or is too large.
        """
        self.put(which, picture_of(data, name))

    def frame(self, seconds: Fraction) -> Frame:
        """The frame of the film at a time.

        Raises:
            UsageError: there is no film.
        """
        if self.film is None:
            raise UsageError("the studio was opened without a film")
        return self.film.at(seconds)

    def pick(self, which: int, seconds: Fraction) -> Frame:
        """Use a frame of the film as the first (0) or last (1) picture; returns it.

        Raises:
            UsageError: there is no film.
        """
        frame = self.frame(seconds)
        self.put(which, frame.rgb)
        if which == 0:
            self.picked = frame.time
        return frame

    def cut_out(self, box: Sequence[float]) -> bytes:
        """The mask of the object inside a box of the first picture, as a grey PNG."""
        mask = self._cut(bytes_of(self.end(0)), box)
        return png_of(mask.astype("uint8") * 255)

    # ---- rendering ----

    def preview(self, wish: Wish) -> Job:
        """Start rendering small pictures, each available as soon as it is finished."""

        def work(job: Job) -> None:
            for rgb in self._pictures(wish, PREVIEW):
                job.pictures.append(jpeg_of(bytes_of(rgb)))
                job.made()

        return self._start(wish, work)

    def export(self, wish: Wish) -> Job:
        """Start rendering a file with all pictures in full size."""

        def work(job: Job) -> None:
            shown = []
            for rgb in self._pictures(wish, None):
                shown.append(rgb)
                job.made()
            job.file = self._written(job.id, shown, wish)

        return self._start(wish, work)

    def _start(self, wish: Wish, work: Callable[[Job], None]) -> Job:
        """Check the request as far as possible, then start the job."""
        first, last = self.end(0), self.end(1)
        if first.shape != last.shape:
            sizes = " and ".join(f"{rgb.shape[1]}x{rgb.shape[0]}" for rgb in (first, last))
            raise UsageError(f"the pictures are {sizes}, expected the same size")
        row = next((row for row in usable_models() if row["id"] == wish.model), None)
        if row is None:
            raise UsageError(
                f'the weights of "{wish.model}" are not installed',
                hint=command_line("weights get rife-4.25"),
            )
        if wish.objects and not row["maps"]:
            raise UsageError(
                f'"{wish.model}" uses one time for all pixels',
                hint=f"{command_line('weights get rife-4.25')} downloads a network for objects",
            )
        return self.jobs.start(wish.count + 2, work)

    def _pictures(self, wish: Wish, longest: int | None) -> Iterator[Rgb]:
        """All pictures in order, including the two given ones."""
        import torch

        from rtvfi.render.paces import paced

        first, last = self.end(0), self.end(1)
        masks = [mask_of(one.mask, first.shape[:2]) for one in wish.objects]
        if longest is not None:
            first, last = fitted(first, longest), fitted(last, longest)
            masks = [fitted_mask(mask, longest) for mask in masks]
        yield first
        curves = (one.curve for one in wish.objects)
        objects = [(torch.from_numpy(m), c) for m, c in zip(masks, curves, strict=True)]
        model = self._model(wish, (first.shape[0], first.shape[1]))
        yield from paced(model, (first, last), objects, wish.count)
        yield last

    def _model(self, wish: Wish, size: tuple[int, int]) -> Between:
        from rtvfi.render.between import Between

        key = (wish.model, size, wish.steps)
        if key not in self._models:
            self._models.clear()  # keep only one model in memory
            self._models[key] = Between(wish.model, self._device, size, wish.steps)
        return self._models[key]

    def _written(self, number: int, shown: Sequence[Rgb], wish: Wish) -> Path:
        from rtvfi.stream.write.stills import write_animation

        if wish.form != "png":
            path = self._folder / f"studio-{number}.{wish.form}"
            write_animation(path, shown, wish.form, wish.rate)
            return path
        path = self._folder / f"studio-{number}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
            for k, rgb in enumerate(shown):
                archive.writestr(f"{k:04}.png", png_of(bytes_of(rgb)))
        return path

    def close(self) -> None:
        """Stop all work."""
        self.jobs.close()
        if self.film is not None:
            self.film.close()
