from __future__ import annotations

import json

import numpy as np
import pytest
from quality_pictures import Told, scenery, triplet, triplet_set
from scipy.ndimage import gaussian_filter

from rtvfi.quality.gather import TripletSet
from rtvfi.quality.measure import BEST_PSNR, SetResult, as_json, measure, over_sets
from rtvfi.quality.tables import best_of, legend, markdown, remarks, rich_tables
from rtvfi.quality.triplets import Picture, Triplet


def truth(left: Picture, right: Picture) -> Picture:
    """What ``triplet`` has in the middle, found by its left end."""
    return next(
        made.middle
        for number in range(4)
        if np.array_equal((made := triplet(number)).left.y, left.y)
    )


def fade(left: Picture, right: Picture) -> Picture:
    return Picture(left.y // 2 + right.y // 2, left.uv)


def soft(left: Picture, right: Picture) -> Picture:
    sharp = truth(left, right)
    return Picture(gaussian_filter(sharp.y.astype(float), 2).astype(np.uint8), sharp.uv)


def left_again(left: Picture, right: Picture) -> Picture:
    return left


@pytest.fixture(scope="module")
def result() -> SetResult:
    answers = {"truth": truth, "fade": fade, "soft": soft, "left": left_again}
    return measure(triplet_set(), [Told(name, answer) for name, answer in answers.items()])


def value(result: SetResult, method: str, metric: str) -> float:
    found = result.scores[method].values[metric]
    assert found is not None
    return found


def test_the_truth_is_perfect(result: SetResult) -> None:
    assert value(result, "truth", "psnr") == BEST_PSNR
    assert value(result, "truth", "ssim") == pytest.approx(1)
    assert value(result, "truth", "line") == 0
    assert value(result, "truth", "evenness") == 0
    assert value(result, "truth", "warp") < 1


@pytest.mark.parametrize("metric", ["psnr", "ssim"])
def test_a_fade_and_a_repeated_end_are_worse_than_the_truth(result: SetResult, metric: str) -> None:
    assert value(result, "fade", metric) < value(result, "truth", metric)
    assert value(result, "left", metric) < value(result, "truth", metric)


@pytest.mark.parametrize("metric", ["line", "warp"])
def test_ghosts_are_further_off_in_lines_and_along_the_motion(
    result: SetResult, metric: str
) -> None:
    assert value(result, "fade", metric) > value(result, "truth", metric) + 1e-3


def test_a_repeated_end_is_uneven_by_the_way_to_it(result: SetResult) -> None:
    assert value(result, "left", "evenness") == pytest.approx(4, abs=0.3)


def test_softness_is_even_but_not_alike(result: SetResult) -> None:
    assert value(result, "soft", "evenness") < 0.5
    assert value(result, "soft", "psnr") < 30


def test_numbers_that_cannot_be_had_are_none_with_a_reason(result: SetResult) -> None:
    assert result.scores["fade"].values["ripple"] is None
    assert result.scores["fade"].reasons == {"ripple": "nothing stands still"}
    assert "made: no ripple, nothing stands still" in remarks([result])


def test_pictures_too_small_for_a_metric_lack_it() -> None:
    tiny = Picture(np.zeros((8, 10), np.uint8), np.full((2, 4, 5), 128, np.uint8))
    sets = TripletSet("tiny", 1, lambda: iter([Triplet("tiny_0", tiny, tiny, tiny)]))
    scores = measure(sets, [Told("left", left_again)]).scores["left"]
    assert scores.values["psnr"] == BEST_PSNR
    assert scores.values["ripple"] == 0
    assert {"ssim", "line", "evenness", "warp"} == scores.reasons.keys()


def test_the_lowest_cost_of_a_set_counts() -> None:
    method = Told("left", left_again, [(0.03, 0.05), (0.02, 0.06), (0.04, 0.04)])
    scores = measure(triplet_set(3), [method]).scores["left"]
    assert (scores.values["ms"], scores.values["cpu_ms"]) == (20, 40)


def test_sets_count_the_same_whatever_their_size() -> None:
    def psnr_of(name: str, num: int) -> SetResult:
        return measure(triplet_set(num, name), [Told("fade", fade)])

    few, many = psnr_of("few", 1), psnr_of("many", 3)
    mean = over_sets([few, many])["fade"]
    values = [r.scores["fade"].values["psnr"] or 0 for r in (few, many)]
    assert mean.values["psnr"] == pytest.approx(sum(values) / 2)
    assert mean.values["ms"] is None
    assert mean.reasons["ms"] == "sets differ in size"


def test_the_hardest_triplet_is_kept_for_the_sheet() -> None:
    far = [triplet(0, 1), triplet(1, 6), triplet(2, 2)]
    found = measure(TripletSet("made", 3, lambda: iter(far)), [Told("fade", fade)])
    assert found.hardest is not None
    assert found.hardest.triplet is far[1]


def test_json_is_valid_and_says_what_is_absent(result: SetResult) -> None:
    found = json.loads(json.dumps(as_json([result]), allow_nan=False))
    row = found["made"]["fade"]
    assert row["triplets"] == 2
    assert row["ripple"] is None
    assert row["absent"] == {"ripple": "nothing stands still"}
    assert {"psnr", "ssim", "line", "evenness", "warp", "ms", "cpu_ms"} < row.keys()
    assert as_json([result, result]).keys() == {"made", "mean"}


def test_the_best_of_a_column_knows_which_way_is_up(result: SetResult) -> None:
    three = {name: result.scores[name] for name in ("fade", "left")}
    psnr = max(value(result, n, "psnr") for n in three)
    warp = min(value(result, n, "warp") for n in three)
    assert best_of(three, "psnr") == f"{psnr:.2f}"
    assert best_of(three, "warp") == f"{warp:.2f}"
    assert best_of(three, "ripple") is None


def test_markdown_has_a_row_per_method_and_the_best_in_bold(result: SetResult) -> None:
    lines = [line for line in markdown([result]).splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 4
    assert {line.count("|") for line in lines} == {lines[0].count("|")}
    assert "**100.00**" in lines[2]
    assert lines[2].startswith("| made: 2 triplets of 96x64 | truth |")


def test_a_set_named_like_markup_is_printed_as_it_is(result: SetResult) -> None:
    odd = SetResult("[bold]x", (4, 4), 1, "", result.scores)
    (table,) = rich_tables([odd])
    assert table.title == "\\[bold]x: 1 triplet of 4x4"


def test_the_legend_says_which_way_is_up(result: SetResult) -> None:
    assert legend([result]).startswith("Higher is better for PSNR, SSIM, lower for the others.")


def test_scenery_moves_as_it_is_told() -> None:
    assert np.array_equal(scenery(3).y[:, 3:], scenery(0).y[:, :-3])
