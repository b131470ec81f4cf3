"""What a container takes is known before anything is rendered."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import av
import pytest
from clips import Clips, ClipSpec, read_code
from fakes import raising
from files import planes, track, tracks

from rtvfi.cli import main as cli
from rtvfi.stream.write.encoders.codecs import CODECS
from rtvfi.stream.write.encoders.encode import _holds

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = ClipSpec(num_frames=12, audio=True)


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks for a frame fails."""

    monkeypatch.setattr(
        "rtvfi.render.run.put_all", raising(AssertionError("a frame was asked for"))
    )


def render(source: Path, target: Path, *words: str) -> int:
    told = ("--device", "cpu", "--model", "copy", "--fps", "1x", "-o", str(target), *words)
    return cli.main(["render", str(source), *told])


@pytest.mark.parametrize(
    ("words", "codec"), [((), "av1"), (("--pix-fmt", "yuv444p"), "vp9"), (("--crf", "60"), "av1")]
)
def test_webm_is_made_without_naming_an_encoder(
    words: tuple[str, ...], codec: str, clips: Clips, tmp_path: Path
) -> None:
    target = tmp_path / "o.webm"
    assert render(clips.get(SOURCE), target, *words) == 0
    made = track(target, "video")
    assert made.codec == codec
    assert len(made.times) == len(planes(target)) == 12
    if "--crf" not in words:
        assert [read_code(luma) for _, (luma, *_) in planes(target)] == list(range(12))


def test_webm_is_vp9_where_there_is_no_av1(
    clips: Clips, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(av, "codecs_available", av.codecs_available - {"libsvtav1"})
    assert render(clips.get(SOURCE), tmp_path / "o.webm") == 0
    assert track(tmp_path / "o.webm", "video").codec == "vp9"


def test_nothing_is_said_of_encoders_that_do_not_suit_a_container(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render(clips.get(SOURCE), tmp_path / "o.webm", "--no-audio") == 0
    assert "warning" not in capsys.readouterr().err


@pytest.mark.usefixtures("unrendered")
@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("o.webm", ("--encoder", "libx264"), ("does not hold h264", "--encoder libsvtav1")),
        ("o.webm", ("--encoder", "libx265"), ("does not hold hevc", "--encoder libsvtav1")),
        ("o.webm", ("--encoder", "ffv1"), ("does not hold ffv1", "--encoder libsvtav1")),
        ("o.mov", ("--encoder", "libsvtav1"), ("does not hold av1", "--encoder libx264")),
        ("o.mov", ("--encoder", "libvpx-vp9"), ("does not hold vp9", "--encoder libx264")),
        ("o.webm", ("--pix-fmt", "yuv444p10le"), ("no encoder makes a webm", "write a .mkv")),
        ("o.mkv", ("--encoder", "libx264", "--crf", "99"), ("expected 0 (best) to 51", "for 17")),
        ("o.mkv", ("--encoder", "libsvtav1", "--crf", "64"), ("expected 1 (best) to 63", "for 24")),
        ("o.mkv", ("--crf", "-1"), ("expected 0 (best) to 51", "for 17")),
        ("o.mkv", ("--crf", "nan"), ("expected 0 (best) to 51", "for 17")),
        ("o.webm", ("--crf", "64"), ("expected 1 (best) to 63 with libsvtav1", "for 24")),
        ("o.mkv", ("--encoder", "ffv1", "--crf", "1"), ("has no quality", "omit --crf")),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_is_begun(
    name: str,
    words: tuple[str, ...],
    told: tuple[str, str],
    clips: Clips,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = clips.get(SOURCE)
    assert render(source, tmp_path / name, *words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert told[0] in error
    assert told[1] in error.splitlines()[1]
    assert not list(tmp_path.glob("o.*")), "nothing was begun"


@pytest.mark.usefixtures("unrendered")
def test_what_becomes_of_sound_is_said_before_it_is_rendered(
    clips: Clips, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(AssertionError, match="a frame was asked for"):
        render(clips.get(SOURCE), tmp_path / "o.webm")
    (sound,) = (t.codec for t in tracks(clips.get(SOURCE)) if t.kind == "audio")
    assert f"audio 1 ({sound}) becomes Opus" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["mp4", "mov", "webm"])
@pytest.mark.parametrize("stored", sorted({codec.stored for codec in CODECS.values()}))
def test_what_a_container_is_said_to_hold_its_muxer_takes(form: str, stored: str) -> None:
    takes = True
    try:
        with av.open(io.BytesIO(), "w", format=form) as trial:
            trial.add_mux_stream(stored, width=64, height=64)
            trial.start_encoding()
    except (ValueError, av.error.FFmpegError):
        takes = False
    assert _holds(form, stored) == takes
