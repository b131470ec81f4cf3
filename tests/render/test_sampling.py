"""4:2:2 and 4:1:1 keep their chroma where an encoder can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from oddities import picture, write_film

from rtvfi.cli import main as cli

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def render(source: Path, target: Path, *words: str) -> Path:
    told = ["--model", "copy", "--fps", "1x", "--device", "cpu", "-o", str(target)]
    assert cli.main(["render", str(source), *told, *words]) == 0
    return target


def planes(path: Path) -> tuple[str, list[NDArray[Any]]]:
    """Pixel format, and the planes of the first picture."""
    with av.open(str(path)) as source:
        frame = next(source.decode(video=0))
        found = []
        for plane in frame.planes:
            raw = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, plane.line_size)
            size = 2 if "10" in frame.format.name else 1
            found.append(raw[:, : plane.width * size].copy())
        return frame.format.name, found


@pytest.mark.parametrize("pixels", ["yuv422p", "yuv422p10le"])
@pytest.mark.parametrize("size", [(96, 64), (98, 62)])
def test_lossless_files_have_every_sample(
    pixels: str, size: tuple[int, int], tmp_path: Path
) -> None:
    film = write_film(tmp_path / "a.mkv", codec="ffv1", pixels=pixels, size=size)
    made = render(film, tmp_path / "o.mkv", "--encoder", "ffv1")
    (before, old), (after, new) = planes(film), planes(made)
    assert after == before == pixels
    assert all(np.array_equal(a, b) for a, b in zip(old, new, strict=True))


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
@pytest.mark.parametrize("pixels", ["yuv422p", "yuv422p10le"])
def test_usual_encoders_keep_the_sampling(encoder: str, pixels: str, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", codec="ffv1", pixels=pixels)
    made = render(film, tmp_path / "o.mkv", "--encoder", encoder, "--crf", "1")
    (_, old), (after, new) = planes(film), planes(made)
    assert after == pixels
    if "10" not in pixels:
        assert all(np.abs(a.astype(int) - b).mean() < 2 for a, b in zip(old, new, strict=True))


def test_packed_pictures_count_as_what_they_hold(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", codec="rawvideo", pixels="yuyv422")
    made = render(film, tmp_path / "o.mkv", "--encoder", "ffv1")
    assert planes(made)[0] == "yuv422p"


def test_a_quarter_of_the_chroma_is_kept_as_a_half(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", codec="ffv1", pixels="yuv411p")
    made = render(film, tmp_path / "o.mkv", "--encoder", "ffv1")
    assert planes(made)[0] == "yuv422p"


@pytest.mark.parametrize("wanted", ["yuv420p", "yuv444p"])
def test_another_sampling_can_be_asked_for(wanted: str, tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", codec="ffv1", pixels="yuv422p")
    words = () if wanted == "yuv444p" else ("--pix-fmt", wanted)
    made = render(film, tmp_path / "o.webm", "--encoder", "libvpx-vp9", *words)
    assert planes(made)[0] == wanted


def test_what_is_shown_lies_where_it_was(tmp_path: Path) -> None:
    film = write_film(tmp_path / "a.mkv", codec="ffv1", pixels="yuv422p", size=(192, 128))
    made = render(film, tmp_path / "o.mkv", "--encoder", "libvpx-vp9", "--crf", "0")
    with av.open(str(made)) as source:
        shown: Any = next(source.decode(video=0)).to_ndarray(format="rgb24")
    assert np.abs(shown.astype(int) - picture(192, 128)).mean() < 6
