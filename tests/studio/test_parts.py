"""Wishes, masks, boxes, presence, jobs: without a page."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from fakes import raising

from rtvfi.core.errors import OpenError, UsageError
from rtvfi.studio.codec import fitted, fitted_mask, mask_of, picture_of, png_of
from rtvfi.studio.cut_out import cut_out
from rtvfi.studio.jobs import Job, Jobs
from rtvfi.studio.presence import FAREWELL, SILENCE, Presence
from rtvfi.studio.wish import wish_of

# --- presence ----------------------------------------------------------------------------------


def test_before_the_first_page_it_waits() -> None:
    presence = Presence()
    presence.leaving(0)
    assert not presence.is_over(1e9)


def test_a_page_that_is_silent_for_minutes_is_gone() -> None:
    presence = Presence()
    presence.seen(10)
    assert not presence.is_over(10 + SILENCE)
    assert presence.is_over(11 + SILENCE)


def test_a_page_that_closes_is_gone_soon_but_may_come_back() -> None:
    presence = Presence()
    presence.seen(10)
    presence.leaving(20)
    assert not presence.is_over(20 + FAREWELL)
    assert presence.is_over(21 + FAREWELL)
    presence.seen(22)  # loaded anew
    assert not presence.is_over(100)


# --- pictures ----------------------------------------------------------------------------------


def test_sixteen_bits_are_kept() -> None:
    codes = np.arange(12, dtype=np.uint16).reshape(2, 2, 3) * 5000
    assert np.allclose(picture_of(png_of(codes), "it") * 65535, codes, atol=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"words", png_of(np.zeros((3, 3), np.uint8))[:20]])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(OpenError, match='"it" cannot be read'):
        picture_of(data, "it")
    with pytest.raises(UsageError, match="cannot be read as a picture"):
        mask_of(data, (3, 3))


def test_previews_keep_their_shape() -> None:
    for size, smaller in (
        ((1080, 1920), (270, 480)),
        ((100, 50), (100, 50)),
        ((1, 5000), (1, 480)),
    ):
        assert fitted(np.zeros(size, np.uint8), 480).shape == smaller
    rgb = np.random.default_rng(1).random((90, 160, 3), np.float32)
    assert fitted(rgb, 80).shape == (45, 80, 3)
    assert fitted(rgb, 160) is rgb
    assert fitted_mask(np.ones((90, 160), bool), 80).all()


# --- boxes -------------------------------------------------------------------------------------


def scene(height: int = 120, width: int = 200) -> tuple[Any, Any]:
    """A noisy ball on a noisy ground, and where it is."""
    y, x = np.mgrid[:height, :width]
    ball = np.hypot(x - 0.4 * width, y - 0.5 * height) < 0.25 * height
    rgb = np.where(ball[..., None], (200, 60, 40), (60, 110, 80))
    noise = np.random.default_rng(3).normal(0, 8, rgb.shape)
    return np.clip(rgb + noise, 0, 255).astype(np.uint8), ball


@pytest.mark.parametrize("size", [(120, 200), (900, 1500)])
def test_the_object_inside_a_box_is_found_at_any_size(size: tuple[int, int]) -> None:
    rgb, ball = scene(*size)
    height, width = size
    mask = cut_out(rgb, (0.15 * width, 0.15 * height, 0.5 * width, 0.7 * height))
    assert (mask & ball).sum() / (mask | ball).sum() > 0.95


def test_the_same_box_gives_the_same_object() -> None:
    rgb, _ = scene()
    first, second = (cut_out(rgb, (30, 20, 100, 90)) for _ in range(2))
    assert np.array_equal(first, second)


def test_where_nothing_is_to_be_told_apart_the_box_is_the_object() -> None:
    plain = np.full((20, 30, 3), 128, np.uint8)
    mask = cut_out(plain, (5, 4, 10, 8))
    assert mask[4:12, 5:15].all()
    assert mask.sum() == 80
    assert cut_out(plain, (-9, -9, 99, 99)).all()
    assert cut_out(plain, (3, 3, 1, 1)).sum() == 1


def test_a_box_outside_is_refused() -> None:
    with pytest.raises(UsageError, match="outside"):
        cut_out(scene()[0], (500, 0, 20, 20))


# --- wishes and jobs ---------------------------------------------------------------------------


def test_a_wish_has_defaults() -> None:
    wish = wish_of({"model": "x"})
    assert (wish.count, float(wish.rate), wish.form) == (9, 12, "gif")
    assert (wish.steps, wish.objects) == (None, ())
    with pytest.raises(UsageError):
        wish_of([])


def test_a_newer_job_takes_the_place_of_the_one_under_way() -> None:
    jobs, begun, go_on = Jobs(), threading.Event(), threading.Event()

    def slow(job: Job) -> None:
        begun.set()
        assert go_on.wait(60)
        job.made()
        raise AssertionError("it should have stopped")

    def quick(job: Job) -> None:
        job.made()

    first = jobs.start(3, slow)
    assert begun.wait(60)
    second = jobs.start(1, quick)
    go_on.set()
    jobs._worker.shutdown()
    assert (first.error, first.is_done) == ("cancelled", True)
    assert (second.error, second.num_made, second.is_done) == ("", 1, True)


def test_only_the_newest_jobs_are_kept() -> None:
    jobs = Jobs()
    made = [jobs.start(1, lambda _: None) for _ in range(6)]
    jobs.close()
    assert [jobs.find(job.id) is not None for job in made] == [False, False, True, True, True, True]


def test_a_bug_in_a_job_is_told_to_the_page() -> None:
    jobs = Jobs()

    job = jobs.start(1, raising(ValueError("oh")))
    jobs._worker.shutdown()
    assert "oh" in job.error
