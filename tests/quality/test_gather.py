from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
from quality_pictures import scenery, write_film, write_png

from rtvfi.core.errors import OpenError, UsageError
from rtvfi.quality.films import choose, chosen_of_pictures
from rtvfi.quality.gather import GatherOptions, gather, spread
from rtvfi.quality.triplets import Picture

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("ffmpeg"), reason="no ffmpeg")


def write_three(folder: Path, names: tuple[str, ...] = ("im1", "im2", "im3")) -> None:
    for k, name in enumerate(names):
        write_png(folder / f"{name}.png", scenery(4 * k - 4))


# --- lists -----------------------------------------------------------------------------------


def write_list(path: Path, folder: str, extra: str = "") -> None:
    lines = [f"{name}_{k},{folder}im1.png,{folder}im2.png,{folder}im3.png{extra}" for name, k in (
        ("a", 1), ("b", 1), ("a", 2)
    )]  # fmt: skip
    head = "id,i0,gt,i1" + (",t" if extra else "")
    path.write_text("\n".join([head, *lines]))


@pytest.mark.parametrize("folder", ["", "clips/"])
def test_a_folder_with_a_list_has_the_sets_of_its_ids(tmp_path: Path, folder: str) -> None:
    clips = tmp_path / "clips"
    write_three(clips)
    write_list(clips / "triplets.csv", folder)
    found = gather(clips, GatherOptions())
    assert [(s.name, s.num_triplets) for s in found] == [("a", 2), ("b", 1)]
    (first, _) = found[0].read()
    assert np.array_equal(first.middle.y[:, 4:-4], first.left.y[:, :-8])


def test_a_list_can_stand_apart_from_its_pictures(tmp_path: Path) -> None:
    write_three(tmp_path / "clips")
    write_list(tmp_path / "list.csv", "")
    options = GatherOptions(root=tmp_path / "clips", count=1)
    found = gather(tmp_path / "list.csv", options)
    assert [s.num_triplets for s in found] == [1, 1]
    assert [t.id for s in found for t in s.read()] == ["a_2", "b_1"]


def test_a_list_that_wants_another_time_is_refused(tmp_path: Path) -> None:
    write_list(tmp_path / "list.csv", "", ",0.25")
    with pytest.raises(OpenError, match=r"0\.25"):
        gather(tmp_path / "list.csv", GatherOptions())


def test_a_list_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    with pytest.raises(OpenError, match='no column "gt"'):
        gather(tmp_path / "list.csv", GatherOptions())


# --- folders ---------------------------------------------------------------------------------


def test_folders_of_three_are_triplets_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    write_three(tmp_path / "sequences" / "00001" / "0002")
    write_three(tmp_path / "sequences" / "00001" / "0001", ("frame10", "frame9", "frame11"))
    (found,) = gather(tmp_path, GatherOptions())
    assert (found.name, found.num_triplets) == ("sequences", 2)
    first, second = found.read()
    assert np.array_equal(first.left.y, second.middle.y)  # frame9 comes before frame10
    assert np.array_equal(second.right.y, scenery(4).y)


def test_folders_right_below_are_one_set_of_the_folders_name(tmp_path: Path) -> None:
    top = tmp_path / "test_2k"
    for name in ("Disney_1", "Japan_2"):
        write_three(top / name, ("frame1", "frame2", "frame3"))
    (found,) = gather(top, GatherOptions(count=1))
    assert (found.name, found.num_triplets) == ("test_2k", 1)


def test_of_longer_folders_the_ends_are_a_step_apart(tmp_path: Path) -> None:
    for k in range(5):
        write_png(tmp_path / "type1" / "TEST01" / f"{k:04}.png", scenery(2 * k))
    (found,) = gather(tmp_path, GatherOptions(step=4))
    (one,) = found.read()
    assert found.name == "type1"
    assert [p.y[30, 40] for p in (one.left, one.middle, one.right)] == [
        scenery(2 * k).y[30, 40] for k in (0, 2, 4)
    ]


def test_many_pictures_in_one_folder_are_a_film(tmp_path: Path) -> None:
    for k in range(6):
        write_png(tmp_path / f"{k}.png", scenery(k))
    (found,) = gather(tmp_path, GatherOptions())
    assert [t.id.rpartition("/")[2] for t in found.read()] == ["1.png", "3.png"]


def test_pictures_of_unlike_size_are_refused(tmp_path: Path) -> None:
    write_three(tmp_path / "a")
    whole = scenery()
    write_png(tmp_path / "a" / "im2.png", Picture(whole.y[:32], whole.uv[:, :16]))
    (found,) = gather(tmp_path, GatherOptions())
    with pytest.raises(OpenError, match="differ in size"):
        list(found.read())


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="nothing to measure"):
        gather(tmp_path, GatherOptions())


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OpenError, match="does not exist"):
        gather(tmp_path / "none", GatherOptions())


@pytest.mark.parametrize("step", [0, 1, 3, -2])
def test_a_step_without_a_middle_is_refused(tmp_path: Path, step: int) -> None:
    with pytest.raises(UsageError, match="expected an even number"):
        gather(tmp_path, GatherOptions(step=step))


# --- films -----------------------------------------------------------------------------------


def test_every_second_frame_of_a_film_is_guessed(tmp_path: Path) -> None:
    write_film(tmp_path / "film.mkv", [scenery(2 * k) for k in range(6)])
    (found,) = gather(tmp_path / "film.mkv", GatherOptions())
    triplets = list(found.read())
    assert [t.id for t in triplets] == ["film.mkv#1", "film.mkv#3"]
    assert found.remark == ""
    middle = triplets[1].middle.y.astype(int)
    assert np.abs(middle[:, 2:] - triplets[1].left.y[:, :-2]).max() <= 1


def test_frames_across_cuts_and_repeats_are_not_guessed(tmp_path: Path) -> None:
    moving = [scenery(2 * k) for k in range(5)]
    on_ones_and_twos = [dark(2 * k) for k in (0, 1, 2, 3, 4, 5, 5, 6, 6, 7)]
    write_film(tmp_path / "film.mkv", [*moving, *on_ones_and_twos])
    choice = choose(tmp_path / "film.mkv", 2)
    assert choice.middles == [1, 3, 7, 9]
    assert choice.remark == "left out: 1 across cuts, 2 whose middle frame repeats an input frame"


def dark(shift: int) -> Picture:
    """Another place: light lines, coarser texture."""
    luma = scenery(shift, seed=5).y.astype(int)
    return Picture(((255 - luma) // 2).astype(np.uint8), scenery().uv)


def test_a_film_of_two_frames_has_nothing_to_guess(tmp_path: Path) -> None:
    write_film(tmp_path / "film.mkv", [scenery(0), scenery(2)])
    with pytest.raises(OpenError, match="no frame to leave out"):
        gather(tmp_path / "film.mkv", GatherOptions())


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no film")
    with pytest.raises(OpenError, match="cannot be read"):
        gather(tmp_path / "notes.txt", GatherOptions())


@pytest.mark.parametrize(("num", "step", "wanted"), [(7, 2, [1, 3, 5]), (6, 2, [1, 3]),
                                                     (9, 4, [2, 6]), (2, 2, [])])  # fmt: skip
def test_middles_lie_between_ends_that_are_there(num: int, step: int, wanted: list[int]) -> None:
    assert chosen_of_pictures(num, step) == wanted


def test_a_few_of_many_are_spread_evenly() -> None:
    assert spread(10, 2) == [2, 7]
    assert spread(3, 5) == [0, 1, 2]
    assert spread(4, None) == [0, 1, 2, 3]
