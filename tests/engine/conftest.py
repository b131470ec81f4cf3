"""A viewing of fake frames for the tests of this room."""

from __future__ import annotations

import ctypes
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from fakes import FakePlayhead, FakeSource, stream_info

from rtvfi.core.options import StreamOptions
from rtvfi.engine.build import Place, Viewing, view
from rtvfi.stream.run.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtvfi.core.frame import StreamInfo

INFO = stream_info()


class Viewed:
    """A viewing of fake frames; closed by the fixture."""

    def __init__(self, info: StreamInfo, options: StreamOptions, place: Place) -> None:
        source = FakeSource(info, 24)
        self.playhead = FakePlayhead()
        self.pipeline = Pipeline(source.opener, self.playhead)
        self.viewing: Viewing = view(
            self.pipeline, "film.mkv", self.pipeline.open(), options, place, self.playhead
        )

    def read(self) -> bytes:
        got = b""
        buffer = ctypes.create_string_buffer(4096)
        while count := self.viewing.stream.read_into(ctypes.addressof(buffer), 4096):
            got += buffer.raw[:count]
        return got


@pytest.fixture
def make_viewed() -> Iterator[Any]:
    made: list[Viewed] = []

    def make(
        info: StreamInfo = INFO,
        options: StreamOptions | None = None,
        origin: Fraction = Fraction(0),
        duration: Fraction = Fraction(1),
    ) -> Viewed:
        made.append(Viewed(info, options or StreamOptions(), Place(Fraction(48), origin, duration)))
        return made[-1]

    yield make
    for viewed in made:
        viewed.viewing.close()
