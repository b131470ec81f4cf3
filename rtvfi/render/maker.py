"""Films opened as the options say, with one model for all of them: where pictures come from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata
from typing import TYPE_CHECKING

from rtvfi.engine.build import Rendering, pipeline_for, rendering
from rtvfi.engine.enhance import Enhancer
from rtvfi.engine.model_host import ModelHost
from rtvfi.models.weights.store import find_weights, sha256_of
from rtvfi.render.clock import Part, clock_of, part_of
from rtvfi.render.suited import check_pictures, check_timeline
from rtvfi.stream.run.playhead import Playhead
from rtvfi.stream.write.journal import file_facts

if TYPE_CHECKING:
    from contextlib import ExitStack

    from rtvfi.core.frame import StreamInfo
    from rtvfi.core.rates import Grid
    from rtvfi.settings.config import RenderOptions
    from rtvfi.stream.run.pipeline import Pipeline


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A film, open, and what is wanted of it."""

    source: str
    pipeline: Pipeline
    info: StreamInfo
    grid: Grid
    part: Part

    def last(self, stop: int | None) -> int | None:
        """Index after the last picture before ``stop`` (None = the end), as far as the file tells
        how long it is; None = it does not.
        """
        if self.info.duration is None:
            return stop
        end = self.grid.first_at_or_after(self.info.start + self.info.duration)
        return end if stop is None else min(stop, end)


@dataclass(frozen=True, slots=True)
class Pipelines:
    """Where the pictures of a file come from."""

    made: Rendering
    given: Pipeline | None
    """The nearest source frames on the same grid, for a montage."""


class Maker:
    """Opens films and has their pictures made, all with the same options and model.

    Raises:
        RtvfiError: weights are not here.
    """

    def __init__(self, options: RenderOptions) -> None:
        self._options = options
        weights = find_weights(options.model)
        self._models = ModelHost(options.device, options.stream)
        self._weights = None if weights is None else sha256_of(weights)
        self._enhancer = (
            None if options.enhance is None else Enhancer(options.enhance, options.device)
        )
        self._has_model = options.model != "copy" and options.stream.style != "off"

    def open(self, source: str, opened: ExitStack) -> Film:
        """A film, its clock and the part that is wanted; ``opened`` closes it.

        Raises:
            RtvfiError: it cannot be rendered.
        """
        check_timeline(source)
        pipeline = self._pipeline(source, opened, self._enhancer)
        info = pipeline.open()
        check_pictures(source, info)
        grid = clock_of(self._options, source, info)
        return Film(source, pipeline, info, grid, part_of(self._options, source, info, grid))

    def begin(self, film: Film, opened: ExitStack, first: int) -> Pipelines:
        """Have its pictures made, from this index of its clock on."""
        options = self._options
        made = rendering(film.pipeline, film.info, options.stream, film.grid, first)
        if self._has_model:
            film.pipeline.use(self._models.executor(options.model, made))
        given = None
        if options.is_montage:  # a pipeline without a model shows the nearest source frames
            given = self._pipeline(film.source, opened)
            plain = replace(options.stream, style="plain")
            rendering(given, given.open(), plain, film.grid, first)
        return Pipelines(made, given)

    def _pipeline(
        self, source: str, opened: ExitStack, enhancer: Enhancer | None = None
    ) -> Pipeline:
        options = self._options
        around = None if enhancer is None else enhancer.around
        pipeline = pipeline_for(source, options.source, options.stream, Playhead(), around)
        opened.callback(pipeline.close)
        return pipeline

    def facts(self, film: Film) -> dict[str, object]:
        """All that the pictures of the file depend on."""
        options, grid, part = self._options, film.grid, film.part
        return {
            "version": 3,
            "enhance": self._enhancer and [options.enhance, self._enhancer.weights],
            "input": file_facts(film.source),
            "model": options.model if self._has_model else None,
            "weights": self._weights,
            "device": options.device,
            "target_rate": str(1 / grid.step),
            "keeps_times": options.keeps_times,
            "first": part.first,
            "stop": part.stop,
            "deinterlace": options.source.deinterlace,
            "picture_rate": str(options.source.picture_rate),
            "stream": options.stream.facts(),
            "encode": options.encode.facts(),
            "has_audio": options.has_audio,
            "keeps_pngs": options.keeps_pngs,
            "is_montage": options.is_montage,
            "av": metadata.version("av"),
        }
