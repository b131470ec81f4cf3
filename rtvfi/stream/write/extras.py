"""Sound and subtitles of files beside a film, copied into what is made of it."""

from __future__ import annotations

import logging
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av

from rtvfi.core.errors import OpenError
from rtvfi.stream.write.companion import Companion

if TYPE_CHECKING:
    from av.container import OutputContainer

    from rtvfi.stream.write.job import Extra, Job

log = logging.getLogger(__name__)


class _Beside(Companion):
    """The streams of an extra file; chapters and tags are the film's."""

    def __init__(self, extra: Extra, job: Job) -> None:
        self._extra = extra
        super().__init__(extra.path, job.span)
        # Text is written for the film's beginning, sound begins where its file does.
        begin = Fraction(self._source.start_time or 0, av.time_base)
        self._shift = extra.zero - (begin if extra.kind == "audio" else 0)
        start, end = job.span.start, job.span.end
        self._span = replace(
            job.span,
            zero=job.span.zero - self._shift,
            start=None if start is None else start - self._shift,
            end=None if end is None else end - self._shift,
        )

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> list[str]:
        self._out = out
        left_out = []
        for stream in self._source.streams:
            if stream.type != self._extra.kind:
                continue
            if reason := self._add(out, stream):
                left_out.append(f"{reason} of {self._extra.path}")
            else:
                tags = self._copies[stream.index].metadata
                tags.setdefault("title", Path(self._extra.path).name)
                if self._extra.language:
                    tags.setdefault("language", self._extra.language)
        return left_out

    def advance(self, until: Fraction | None) -> None:
        super().advance(None if until is None else until - self._shift)


class _Together(Companion):
    """A film's own streams and those of the files beside it, as one."""

    def __init__(self, parts: list[Companion]) -> None:
        self._parts = parts

    def add_to(self, out: OutputContainer, video: av.VideoStream) -> list[str]:
        return [what for part in self._parts for what in part.add_to(out, video)]

    def advance(self, until: Fraction | None) -> None:
        for part in self._parts:
            part.advance(until)

    def close(self) -> None:
        for part in self._parts:
            part.close()


def companion_of(job: Job) -> Companion | None:
    """What is copied beside the pictures of a job; None = nothing.

    A file beside the film that cannot be read is said and left out.

    Raises:
        OpenError: the film itself cannot be opened any more.
    """
    if job.source is None:
        return None
    parts = [Companion(job.source, job.span, has_audio=job.has_audio)]
    for extra in job.extras:
        try:
            parts.append(_Beside(extra, job))
        except OpenError as error:
            log.warning("left out: %s", error.message)
    return parts[0] if len(parts) == 1 else _Together(parts)
