"""On a machine with VA-API: its pictures are those of software, and what it encodes can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from clips import ClipSpec

from rtvfi.core.frame import END, SourceFrame
from rtvfi.core.options import EncodeOptions, SourceOptions
from rtvfi.stream.decode.hardware import probe_vaapi
from rtvfi.stream.decode.source import open_source
from rtvfi.stream.write.encoders.encode import open_encoder
from rtvfi.stream.write.encoders.ffmpeg import Unusable

if TYPE_CHECKING:
    from pathlib import Path

    from clips import Clips

pytestmark = pytest.mark.vaapi

FILM = ClipSpec(size=(640, 360), num_frames=60)


def need(reason: str) -> None:
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [("libx264", "yuv420p"), ("libx265", "yuv420p"), ("libx265", "yuv420p10le")],
)
def test_pictures_are_those_of_software(clips: Clips, codec: str, pix_fmt: str) -> None:
    need(probe_vaapi().reason)
    path = str(clips.get(FILM, codec=codec, pix_fmt=pix_fmt))
    want, got = (open_source(path, SourceOptions(hwaccel=hwaccel)) for hwaccel in ("none", "auto"))
    if not got.info.decoder.startswith("vaapi"):
        got.close()
        want.close()
        pytest.skip(f"it decodes no {codec} in {pix_fmt}")
    for place in (None, 40, 10):
        if place is not None:
            want.seek(place / FILM.rate)
            got.seek(place / FILM.rate)
        while (a := want.read()) is not END:
            b = got.read()
            assert isinstance(a, SourceFrame)
            assert isinstance(b, SourceFrame)
            assert a.pts == b.pts
            assert a.payload.tobytes() == b.payload.tobytes()
        assert got.read() is END
    got.close()
    want.close()


@pytest.mark.parametrize("name", ["h264_vaapi", "hevc_vaapi", "av1_vaapi"])
def test_what_it_encodes_can_be_read(clips: Clips, tmp_path: Path, name: str) -> None:
    need(probe_vaapi().reason)
    source = open_source(str(clips.get(FILM)), SourceOptions(hwaccel="none"))
    pictures = [f.payload for f in iter(source.read, END) if isinstance(f, SourceFrame)]
    source.close()
    path = tmp_path / "o.mkv"
    with av.open(str(path), "w") as out:
        try:
            encoder = open_encoder(out, source.info, FILM.rate, EncodeOptions(encoder=name))
        except Unusable as error:
            pytest.skip(error.message)
        for number in range(len(pictures) + 1):
            is_over = number == len(pictures)
            for packet in encoder.flush() if is_over else encoder.encode(pictures[number], number):
                out.mux(packet)
        encoder.close()
    made = open_source(str(path), SourceOptions(hwaccel="none"))
    frames = [f for f in iter(made.read, END) if isinstance(f, SourceFrame)]
    made.close()
    assert len(frames) == len(pictures)
    for frame, wanted in zip(frames, pictures, strict=True):
        off = frame.payload.astype(np.int16) - wanted
        assert np.abs(off).mean() < 4
