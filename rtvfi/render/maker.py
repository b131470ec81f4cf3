"""Opens films and their pipelines for rendering, with one model for all films."""

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
    """An open film, its output grid and the part to render."""

    source: str
    pipeline: Pipeline
    info: StreamInfo
    grid: Grid
    part: Part

    def last(self, stop: int | None) -> int | None:
        """The expected index after the last picture before ``stop`` (None = the end of the film).

        None if ``stop`` is None and the file does not state its duration.
        """
        if self.info.duration is None:
            return stop
        end = self.grid.first_at_or_after(self.info.start + self.info.duration)
        return end if stop is None else min(stop, end)


@dataclass(frozen=True, slots=True)
class Pipelines:
    """The pipelines of one output file."""

    made: Rendering
    """Gives the interpolated pictures."""
    given: Pipeline | None
    """For a montage: gives the nearest source frames on the same grid; else None."""


class Maker:
    """Opens films and starts their pipelines, all with the same options and model.

    Raises:
        RtvfiError: the weights of a network are missing.
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
        """Open a film.

        Args:
            source: path or URL.
            opened: closes the film.

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
        """Start the film's pipelines at grid index ``first``; ``opened`` closes them."""
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
        wrap = None if enhancer is None else enhancer.wrap
        pipeline = pipeline_for(source, options.source, options.stream, Playhead(), wrap)
        opened.callback(pipeline.close)
        return pipeline

    def facts(self, film: Film) -> dict[str, object]:
        """Everything that the pictures of the output depend on, to decide whether to resume."""
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
