"""VA-API decoding end to end: real ffmpeg, real libva, a fake driver."""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from clips import ClipSpec
from interlaced import combing, write
from reading import every_third_time, read_all, read_on
from running import Running

from rtvfi.core.errors import DecodeError, DeviceError
from rtvfi.core.frame import END, SourceFrame
from rtvfi.core.options import SourceOptions
from rtvfi.stream.decode import ffmpeg as decode_ffmpeg
from rtvfi.stream.decode.source import Interrupted, open_source

if TYPE_CHECKING:
    from clips import Clips
    from fakeva.driver import FakeVaapi


KINDS: dict[str, dict[str, Any]] = {
    "mkv": {},
    "mp4": {"container": "mp4"},
    "ts": {"container": "ts", "start": Fraction(10)},
    "uneven": {"times": tuple(Fraction(t, 1000) for t in (0, 40, 80, 200, 240, 950, 990, 1030))},
    "late start": {"start": Fraction(100)},
    "full range": {"full_range": True, "matrix": 1},
    "single": {"num_frames": 1},
    "audio": {"audio": True},
}
KINDS["uneven"]["num_frames"] = 8
SMALL = ClipSpec(size=(160, 90), num_frames=40, gop=12)


def software(path: Path) -> list[SourceFrame]:
    source = open_source(str(path), SourceOptions(hwaccel="none"))
    frames = read_all(source)
    source.close()
    return frames


def assert_same(got: list[SourceFrame], want: list[SourceFrame]) -> None:
    assert [f.pts for f in got] == [f.pts for f in want]
    different = [
        i
        for i, (g, w) in enumerate(zip(got, want, strict=True))
        if g.payload.tobytes() != w.payload.tobytes()
    ]
    assert different == []


@pytest.fixture
def path(kind: str, clips: Clips, fakeva: FakeVaapi) -> Path:
    path = clips.get(SMALL, **KINDS[kind])
    fakeva.load(path)
    return path


@pytest.fixture
def film(clips: Clips, fakeva: FakeVaapi) -> Path:
    path = clips.get(SMALL)
    fakeva.load(path)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_is_that_of_software(path: Path, fakeva: FakeVaapi) -> None:
    source = open_source(str(path), fakeva.options())
    assert source.info.decoder == "vaapi (h264)"
    assert_same(read_all(source), software(path))
    assert source.read() is END
    source.close()


@pytest.mark.parametrize("kind", ["mkv", "ts", "uneven", "late start"])
def test_a_seek_lands_on_the_frame_played_then(path: Path, fakeva: FakeVaapi) -> None:
    want = software(path)
    times = [f.pts for f in want]
    source = open_source(str(path), fakeva.options())
    half = Fraction(1, 100)
    for target in (times[-1], times[17 % len(times)] + half, times[0] - 5, times[len(times) // 2]):
        index = max(bisect_right(times, target) - 1, 0)
        source.seek(target)
        got = [source.read() for _ in want[index : index + 3]]
        assert_same([f for f in got if isinstance(f, SourceFrame)], want[index : index + 3])
    source.close()


@pytest.mark.parametrize("kind", ["mkv", "full range"])
def test_information_is_that_of_software(path: Path, fakeva: FakeVaapi) -> None:
    want, got = (
        open_source(str(path), options)
        for options in (SourceOptions(hwaccel="none"), fakeva.options())
    )
    assert replace(got.info, decoder="") == replace(want.info, decoder="")
    got.close()
    want.close()


def test_a_seek_past_the_end_shows_the_last_frame(film: Path, fakeva: FakeVaapi) -> None:
    source = open_source(str(film), fakeva.options())
    source.seek(Fraction(5000))
    last = source.read()
    assert isinstance(last, SourceFrame)
    assert_same([last], software(film)[-1:])
    assert source.read() is END
    source.close()


def test_auto_takes_the_device_that_works(
    film: Path, fakeva: FakeVaapi, caplog: pytest.LogCaptureFixture
) -> None:
    source = open_source(str(film), fakeva.options(hwaccel="auto"))
    assert source.info.decoder == "vaapi (h264)"
    assert caplog.text == ""
    source.close()


def test_the_child_deinterlaces_what_is_flagged(tmp_path: Path, fakeva: FakeVaapi) -> None:
    path = write(tmp_path / "mixed.ts", range(9, 20))
    fakeva.load(path)
    want = software(path)
    source = open_source(str(path), fakeva.options())
    frames = read_all(source)
    assert [f.pts for f in frames] == [f.pts for f in want]
    assert max(combing(source.info, f) for f in frames) < 1
    plain = [i for i in range(len(want)) if not 9 <= i < 20]
    assert_same([frames[i] for i in plain], [want[i] for i in plain])
    for number in (0, 9, 15):
        source.seek(frames[number].pts)
        got = [source.read(), source.read()]
        assert_same([f for f in got if isinstance(f, SourceFrame)], frames[number : number + 2])
    source.close()


# --- what does not fit -----------------------------------------------------------------------

UNSUITED: dict[str, dict[str, Any]] = {
    "ten bit": {"pix_fmt": "yuv420p10le"},
    "full chroma": {"pix_fmt": "yuv444p"},
    "ffv1": {"codec": "ffv1"},
}


@pytest.mark.parametrize("kind", UNSUITED)
def test_what_no_chip_decodes_is_left_to_software(
    clips: Clips, fakeva: FakeVaapi, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(clips.get(SMALL, **UNSUITED[kind]))
    source = open_source(path, fakeva.options(hwaccel="auto"))
    assert source.info.decoder.startswith("software")
    assert caplog.text == ""
    source.close()
    with pytest.raises(DeviceError, match="does not decode"):
        open_source(path, fakeva.options())


def test_a_profile_the_driver_lacks_is_said_once(
    clips: Clips, fakeva: FakeVaapi, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(clips.get(SMALL, codec="libx265"))
    for _ in range(2):
        source = open_source(path, fakeva.options(hwaccel="auto"))
        assert source.info.decoder == "software (hevc)"
        source.close()
    assert caplog.text.count("its driver does not decode this kind of hevc") == 1
    with pytest.raises(DeviceError, match="this kind of hevc"):
        open_source(path, fakeva.options())


def test_a_refused_profile_is_told(film: Path, fakeva: FakeVaapi) -> None:
    fakeva.fault(refuse_decode=1)
    with pytest.raises(DeviceError, match="this kind of h264"):
        open_source(str(film), fakeva.options())
    source = open_source(str(film), fakeva.options(hwaccel="auto"))
    assert source.info.decoder == "software (h264)"
    source.close()


def test_a_driver_that_does_not_start_is_told(
    film: Path, fakeva: FakeVaapi, caplog: pytest.LogCaptureFixture
) -> None:
    fakeva.fault(refuse_init=1)
    with pytest.raises(DeviceError, match="driver fakeva does not start"):
        open_source(str(film), fakeva.options())
    source = open_source(str(film), fakeva.options(hwaccel="auto"))
    assert source.info.decoder == "software (h264)"
    assert "driver fakeva does not start" in caplog.text
    source.close()


def test_a_driver_of_wrong_pictures_is_found_out(
    film: Path, fakeva: FakeVaapi, caplog: pytest.LogCaptureFixture
) -> None:
    fakeva.fault(corrupt=1)
    source = open_source(str(film), fakeva.options(hwaccel="auto"))
    assert_same(read_all(source), software(film))
    assert "picture is wrong" in caplog.text
    source.close()


# --- breaking down on the way ----------------------------------------------------------------

BREAKS = ("fail_after", "crash_after")


def many_pipes_full(clips: Clips, fakeva: FakeVaapi) -> Path:
    """A film of which few pictures fit the pipe, so that a fault at the 40th cannot come early.

    A child that says that its driver failed is not believed any more, whatever lies in its pipe: of
    a small film that can be all of it, before the first picture is read.
    """
    path = clips.get(SMALL, size=(640, 360), num_frames=60)
    fakeva.load(path)
    return path


@pytest.mark.parametrize("fault", BREAKS)
def test_software_goes_on_where_the_device_gave_up(
    clips: Clips, fakeva: FakeVaapi, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = many_pipes_full(clips, fakeva)
    fakeva.fault(**{fault: 40})
    source = open_source(str(path), fakeva.options(hwaccel="auto"))
    assert source.info.decoder == "vaapi (h264)"
    assert_same(read_all(source), software(path))
    assert source.info.decoder == "software (h264)"
    assert caplog.text.count("software continues") == 1
    source.close()


def test_statistics_name_the_decoder_that_is_live(film: Path, fakeva: FakeVaapi) -> None:
    fakeva.fault(crash_after=25)
    options = fakeva.options(hwaccel="auto")
    with Running(lambda interrupted: open_source(str(film), options, interrupted)) as running:
        assert running.pipeline.statistics().decoder == "vaapi (h264)"
        assert len(running.all()) == 2 * SMALL.num_frames
        assert running.pipeline.statistics().decoder == "software (h264)"


@pytest.mark.parametrize("fault", BREAKS)
def test_a_named_device_that_gives_up_is_an_error(
    clips: Clips, fakeva: FakeVaapi, fault: str
) -> None:
    path = many_pipes_full(clips, fakeva)
    fakeva.fault(**{fault: 40})
    source = open_source(str(path), fakeva.options())
    with pytest.raises(DecodeError, match=r"vaapi \(h264\) gave up: ") as caught:
        read_all(source)
    assert "--hwaccel auto" in caught.value.hint
    source.close()


def test_a_device_that_gives_up_in_a_seek_is_replaced(
    film: Path, fakeva: FakeVaapi, caplog: pytest.LogCaptureFixture
) -> None:
    want = software(film)
    source = open_source(str(film), fakeva.options(hwaccel="auto"))
    fakeva.fault(refuse_init=1)
    source.seek(want[20].pts)
    assert_same(read_all(source), want[20:])
    assert "software continues" in caplog.text
    source.close()


def test_a_driver_that_hangs_is_given_up(
    film: Path, fakeva: FakeVaapi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decode_ffmpeg, "STALL_SECONDS", 0.5)
    fakeva.fault(hang_after=25)
    source = open_source(str(film), fakeva.options(hwaccel="auto"))
    assert_same(read_all(source), software(film))
    source.close()


def test_a_hanging_driver_can_be_interrupted(film: Path, fakeva: FakeVaapi) -> None:
    fakeva.fault(hang_after=25)
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked > 40

    source = open_source(str(film), fakeva.options(), interrupted)
    with pytest.raises(Interrupted):
        read_all(source)
    source.close()


def test_an_interrupted_read_loses_no_frame(film: Path, fakeva: FakeVaapi) -> None:
    fakeva.fault(slow_ms=5)
    asked = every_third_time(0)
    is_open = False  # how often is asked while the child starts depends on the machine
    source = open_source(str(film), fakeva.options(), lambda: is_open and asked())
    is_open = True
    got, num_interruptions = read_on(source)
    assert num_interruptions > 5
    assert_same(got, software(film))
    source.close()


def test_an_interruption_while_software_takes_over_loses_no_frame(
    film: Path, fakeva: FakeVaapi
) -> None:
    fakeva.fault(crash_after=25)
    asked = 0

    def interrupted() -> bool:
        nonlocal asked
        asked += 1
        return asked % 40 == 0

    source = open_source(str(film), fakeva.options(hwaccel="auto"), interrupted)
    got: list[SourceFrame] = []
    for _ in range(1000):
        try:
            frame = source.read()
        except Interrupted:
            continue
        if frame is END:
            break
        assert isinstance(frame, SourceFrame)
        got.append(frame)
    assert_same(got, software(film))
    source.close()


# --- leaving nothing behind ------------------------------------------------------------------


def held() -> tuple[int, list[str]]:
    """Open descriptors, and children of this process."""
    task = Path("/proc/self/task") / str(threading.get_native_id()) / "children"
    return len(list(Path("/proc/self/fd").iterdir())), task.read_text().split()


@pytest.mark.parametrize("num_read", [0, 1, 40])
def test_closing_leaves_no_process_and_no_pipe(
    film: Path, fakeva: FakeVaapi, num_read: int
) -> None:
    open_source(str(film), fakeva.options()).close()
    before = held()
    source = open_source(str(film), fakeva.options())
    source.seek(Fraction(1))
    source.seek(Fraction(0))
    for _ in range(num_read):
        source.read()
    source.close()
    source.close()
    assert held() == before
