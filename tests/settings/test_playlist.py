from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtvfi.core.errors import OpenError
from rtvfi.core.files import is_address, natural_key
from rtvfi.settings.playlist import expand, is_list


def test_folder_gives_its_videos_in_natural_order(tmp_path: Path) -> None:
    for name in ("ep 10.mkv", "ep 2.MKV", "Ep 1.mp4", ".hidden.mkv", "cover.jpg", "ep 3.srt"):
        (tmp_path / name).touch()
    (tmp_path / "extras.mkv").mkdir()
    names = [Path(file).name for file in expand([str(tmp_path)])]
    assert names == ["Ep 1.mp4", "ep 2.MKV", "ep 10.mkv"]


def test_folder_without_videos_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(OpenError, match="there is no video in the folder"):
        expand([str(tmp_path)])


def test_file_may_have_any_name_and_order_is_kept(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("b.unknown", "a.mkv")]
    for file in files:
        Path(file).touch()
    assert expand(files) == tuple(files)


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "film.mkv").touch()
    with pytest.raises(OpenError, match=r'there is no file ".*flim.mkv"') as caught:
        expand([str(tmp_path / "flim.mkv")])
    assert "film.mkv" in caught.value.hint


def test_missing_folder_is_an_error_without_hint() -> None:
    with pytest.raises(OpenError) as caught:
        expand(["/nowhere/at/all.mkv"])
    assert caught.value.hint == ""


@pytest.mark.parametrize("address", ["https://example.org/a.mkv", "ytdl://x", "av://lavfi:x", "-"])
def test_addresses_pass_through(address: str) -> None:
    assert expand([address]) == (address,)


@pytest.mark.parametrize("name", ["a.mkv", "http:a", "C:/x", "./a://b"])
def test_file_names_are_no_addresses(name: str) -> None:
    assert not is_address(name)


def test_lists_are_known_by_their_names() -> None:
    assert [name for name in ("a.M3U8", "b/c.cue", "zip", "a.mkv", ".edl") if is_list(name)] == [
        "a.M3U8",
        "b/c.cue",
    ]


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    keys = [natural_key(name) for name in sorted(names, key=natural_key)]
    assert keys == sorted(keys)


def test_what_is_missing_is_left_out_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = tmp_path / "film.mkv"
    film.touch()
    assert expand([str(tmp_path / "other.mkv"), str(film)]) == (str(film),)
    assert "other.mkv" in caplog.text
