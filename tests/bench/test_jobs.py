from __future__ import annotations

import pytest

from rtvfi.bench.jobs import Job, Measured, Size, is_hopeless, plan

SD, HD, UHD = Size(854, 480), Size(1920, 1080), Size(3840, 2160)


def measured(size: Size, scale: float, ms: float, model: str = "cel") -> Measured:
    return Measured(job=Job("model", size, model, scale), ms={1: ms})


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1920x1080", HD),
        ("1080p", HD),
        ("480p", SD),
        ("720p", Size(1280, 720)),
        ("2160P", UHD),
        ("640X360", Size(640, 360)),
    ],
)
def test_sizes_are_read(text: str, size: Size) -> None:
    assert Size.of(text) == size


@pytest.mark.parametrize(
    "text", ["big", "1920", "0x100", "9000x9000", "1x2x3", "p", "-5x100", "1e3x9"]
)
def test_no_sizes_are_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() and ours
        Size.of(text)


def test_cheap_jobs_and_the_first_model_come_first() -> None:
    jobs = plan(["cel", "rife-4.25"], [HD, SD], [1.0, 0.5])
    told = [(j.kind, j.size, j.model, j.flow_scale) for j in jobs]
    assert told == [
        ("model", SD, "cel", 0.5),
        ("model", SD, "cel", 1.0),
        ("media", SD, "", 1.0),
        ("model", HD, "cel", 0.5),
        ("model", HD, "cel", 1.0),
        ("media", HD, "", 1.0),
        ("model", SD, "rife-4.25", 1.0),
        ("model", HD, "rife-4.25", 1.0),
    ]


def test_no_scale_asked_for_is_half_of_what_is_larger_than_hd() -> None:
    rows = plan(["cel", "rife-4.25"], (SD, HD, UHD), ())
    assert [job.flow_scale for job in rows if job.model == "rife-4.25"] == [1.0, 1.0, 0.5]


def test_jobs_travel_as_json() -> None:
    job = Job("model", HD, "cel", 0.5, "graph")
    assert Job.of(job.as_dict()) == job


def test_a_share_is_work_for_a_second_of_film() -> None:
    row = Measured(job=Job("model", SD, "cel"), ms={1: 10.0, 4: 25.0})
    assert (row.share(48), row.share(60), row.share(120)) == (0.24, None, 0.6)
    assert row.as_dict()["share"] == {"48": 0.24, "120": 0.6}


def test_what_a_cheaper_job_failed_at_is_left_out() -> None:
    slow = measured(SD, 0.25, 200.0)
    assert is_hopeless(Job("model", SD, "cel", 0.5), [slow])
    assert not is_hopeless(Job("model", HD, "cel", 0.5), [slow])
    assert not is_hopeless(Job("model", SD, "linear", 0.5), [slow])
    assert not is_hopeless(Job("model", SD, "cel", 0.5), [measured(SD, 0.25, 20.0)])
