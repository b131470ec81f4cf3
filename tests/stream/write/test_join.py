"""Files made of pieces that are written already."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from clips import Clips, ClipSpec, read_code
from files import planes

from rtvfi.core.errors import EncodeError
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.core.rates import Grid
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.write.job import Job
from rtvfi.stream.write.join import FileExcerpt, join
from rtvfi.stream.write.mux import CRASH_SAFE_FORMAT
from rtvfi.stream.write.timeline import Span

if TYPE_CHECKING:
    from pathlib import Path


def target_of(source: Path, path: Path) -> Job:
    opened = open_source(str(source), SourceOptions(hwaccel="none"))
    opened.close()
    return Job(
        path=path,
        container=CRASH_SAFE_FORMAT,
        info=opened.info,
        grid=Grid(Fraction(0), 1 / opened.info.source_rate),
        first_index=0,
        span=Span(zero=Fraction(0)),
        encode=EncodeOptions(),
    )


def test_pieces_of_one_encoder_follow_each_other(clips: Clips, tmp_path: Path) -> None:
    piece = clips.get(num_frames=12, codec="ffv1", gop=6)
    job = target_of(piece, tmp_path / "o.mkv")
    join([FileExcerpt(piece, 0, 12), FileExcerpt(piece, 6, 12)], job, reorder=0)
    numbers = [read_code(luma) for _, (luma, *_) in planes(job.path)]
    assert numbers == [*range(12), *range(6, 12)]


@pytest.mark.parametrize("other", [{"codec": "libx264"}, {"pix_fmt": "yuv420p10le"}])
def test_pieces_of_different_codec_or_headers_are_refused(
    other: dict[str, Any], clips: Clips, tmp_path: Path
) -> None:
    first = clips.get(num_frames=12, codec="ffv1")
    second = clips.get(ClipSpec(**{"num_frames": 12, "codec": "ffv1", **other}))
    job = target_of(first, tmp_path / "o.mkv")
    with pytest.raises(EncodeError, match="was made by another encoder than the part before it"):
        join([FileExcerpt(first, 0, 12), FileExcerpt(second, 0, 12)], job, reorder=0)
