from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from rtvfi.core.errors import DecodeError, EncodeError, OpenError, SourceError
from rtvfi.stream.write import stills
from rtvfi.stream.write.stills import read_still, write_animation, write_png

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from rtvfi.stream.write.stills import Animation


def ramp(height: int = 17, width: int = 33, offset: float = 0.0) -> NDArray[np.float32]:
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack((x / width, y / height, (x + y) / (height + width)), 2)
    return ((rgb + offset) % 1).astype(np.float32)


@pytest.mark.parametrize("bits", [8, 16])
def test_png_keeps_every_code(tmp_path: Path, bits: int) -> None:
    codes = np.arange(17 * 33 * 3).reshape(17, 33, 3) * 117 % 2**bits
    rgb = (codes / (2**bits - 1)).astype(np.float32)
    write_png(tmp_path / "a.png", rgb, bits)
    still = read_still(tmp_path / "a.png")
    assert still.bits == bits
    assert np.array_equal(np.rint(still.rgb * np.float64(2**bits - 1)), codes)
    assert not (tmp_path / "a.png.part").exists()


def test_png_rounds_to_the_nearest_code_and_clamps(tmp_path: Path) -> None:
    rgb = np.full((4, 4, 3), 0.4999, np.float32)
    rgb[0], rgb[1] = -0.2, 1.3
    write_png(tmp_path / "a.png", rgb, 8)
    codes = np.rint(read_still(tmp_path / "a.png").rgb[:, 0, 0] * 255)
    assert codes.tolist() == [0, 255, 127, 127]


@pytest.mark.parametrize("pixels", ["rgba", "gray", "rgba64be"])
def test_other_kinds_of_png_are_read(tmp_path: Path, pixels: str) -> None:
    path = tmp_path / "a.png"
    grey = np.full((8, 8, 3), 100, np.uint8)
    with av.open(str(path), "w", format="image2pipe") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 8, 8, pixels
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
        container.mux(stream.encode(frame.reformat(format=pixels)))
        container.mux(stream.encode(None))
    still = read_still(path)
    assert still.has_alpha == pixels.startswith("rgba")
    assert still.bits == (16 if pixels == "rgba64be" else 8)
    assert np.abs(still.rgb - 100 / 255).max() < 0.5 / 255


@pytest.mark.parametrize("kind", ["gif", "apng", "webp"])
def test_an_animation_holds_every_picture_in_order(tmp_path: Path, kind: Animation) -> None:
    path = tmp_path / f"a.{kind}"
    levels = [0.1, 0.5, 0.9]
    pictures = [np.full((10, 14, 3), level, np.float32) for level in levels]
    write_animation(path, pictures, kind, Fraction(10))
    if kind == "webp":  # FFmpeg 7 writes moving WebP and does not read it
        data = path.read_bytes()
        assert data.count(b"ANMF") == len(levels)
        return
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    got = [frame.to_ndarray(format="rgb24")[5, 5, 0] / 255 for frame in frames]
    assert got == pytest.approx(levels, abs=0.01)
    assert [float(frame.time or 0) for frame in frames] == pytest.approx([0, 0.1, 0.2])


def test_a_text_file_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.png.*no picture"):
        read_still(tmp_path / "a.png")
    with pytest.raises(OpenError, match=r"b\.png.*No such file"):
        read_still(tmp_path / "b.png")


def test_a_picture_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_png(tmp_path / "a.png", ramp(), 8)
    monkeypatch.setattr(stills, "MAX_PIXELS", 17 * 33 - 1)
    with pytest.raises(OpenError, match=r"too large: 33x17"):
        read_still(tmp_path / "a.png")


def test_half_a_picture_is_damaged(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", ramp(), 8)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(DecodeError, match=r"a\.png"):
        read_still(tmp_path / "a.png")


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(EncodeError, match="No such file"):
        write_png(tmp_path / "no folder" / "a.png", ramp(), 8)
    assert list(tmp_path.iterdir()) == []
