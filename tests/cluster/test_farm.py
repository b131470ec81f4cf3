"""Handing out segments, with a Dask client of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from rtvfi.cluster import farm as farm_module
from rtvfi.cluster.farm import Farm, introduce, on_worker
from rtvfi.cluster.work import Failed, Made, Refused, Task, Unseen, leave, receive
from rtvfi.core.errors import ClusterError, RtvfiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WANTED = {"version of rtvfi": "1", "version of av": "1", "weights of linear": "none"}
NETWORKS = ("linear", None)
MADE = Made(file=b"packets", num_frames=3, encoder="ffv1", seconds=1.0)


class Future:
    """Done when it is made."""

    def __init__(self, outcome: Any) -> None:
        self.status = "error" if isinstance(outcome, Exception) else "finished"
        self._outcome = outcome

    def add_done_callback(self, call: Callable[[Future], None]) -> None:
        call(self)

    def result(self) -> Any:
        return self._outcome

    def exception(self) -> Any:
        return self._outcome


@dataclass
class Client:
    """Workers by address, and what each answers to the next segments."""

    workers: dict[str, Any]
    answers: list[tuple[str, Any]]
    status: str = "running"
    retired: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    folder: str = "/nowhere"
    num_received: int = 0

    def nthreads(self) -> dict[str, int]:
        return {a: 1 for a in self.workers if a not in self.retired}

    def run(self, call: Any, *words: Any, workers: list[str], **rest: Any) -> dict[str, Any]:
        if call is introduce:
            found = {a: self.workers[a] for a in workers}
            return {
                a: told if isinstance(told, Exception) else (told, self.folder)
                for a, told in found.items()
            }
        if call is leave:
            self.said += words
        else:
            assert call is receive
            receive(*words, is_last=rest["is_last"])
            self.num_received += 1
        return {}

    def retire_workers(self, workers: list[str]) -> None:
        self.retired += workers

    def submit(self, call: Any, _wanted: Any, task: Task, **_: Any) -> Future:
        assert call is on_worker
        address, outcome = self.answers.pop(0)
        return Future(outcome if isinstance(outcome, Exception) else (address, outcome))

    def cancel(self, futures: Any, **_: Any) -> None: ...


@pytest.fixture
def task(tmp_path: Path) -> Task:
    film = tmp_path / "film.mkv"
    film.write_bytes(b"0123456789")
    return Task(
        options=None,  # type: ignore[arg-type]
        source=str(film),
        facts={"bytes": 10, "sha256_of_ends": "ab"},
        form="matroska",
        first=0,
        stop=3,
    )


def run(client: Client, task: Task, *, sends: bool = False) -> tuple[list[Made], list[RtvfiError]]:
    made: list[Made] = []
    failed: list[RtvfiError] = []
    farm = Farm(cast("Any", client), WANTED, NETWORKS, sends=sends)
    farm.add("film", task, made.append, failed.append)
    farm.run(lambda: None)
    return made, failed


def test_a_segment_comes_back(task: Task) -> None:
    assert run(Client({"tcp://a:1": WANTED}, [("tcp://a:1", MADE)]), task) == ([MADE], [])


def test_a_worker_that_ended_is_no_end(task: Task, caplog: pytest.LogCaptureFixture) -> None:
    client = Client({"tcp://a:1": WANTED}, [("tcp://a:1", OSError("gone")), ("tcp://a:1", MADE)])
    assert run(client, task) == ([MADE], [])
    assert "retrying a segment: gone" in caplog.text


def test_a_film_that_breaks_every_worker_is_given_up(task: Task) -> None:
    broken = ("tcp://a:1", Failed("it cannot be decoded", "try another"))
    client = Client({"tcp://a:1": WANTED}, [broken] * 3)
    made, (error,) = run(client, task)
    assert made == []
    assert error.message == "a segment failed 3 times: worker a:1: it cannot be decoded"
    assert error.hint == "try another"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (WANTED | {"version of rtvfi": "2"}, "its version of rtvfi is 2, expected 1"),
        (WANTED | {"weights of linear": "ff"}, "its weights of linear is ff, expected none"),
        ({}, "its version of rtvfi is unknown, expected 1"),
        (ImportError("no rtvfi"), "it is not a worker of rtvfi: no rtvfi"),
    ],
)
def test_a_worker_that_differs_is_sent_away(
    told: Any, sentence: str, task: Task, caplog: pytest.LogCaptureFixture
) -> None:
    workers = {"tcp://b:1": told, "tcp://a:1": WANTED}
    client = Client(workers, [("tcp://a:1", MADE)])
    assert run(client, task) == ([MADE], [])
    assert client.retired == ["tcp://b:1"]
    assert client.said == [sentence]
    assert f"worker b:1 is refused: {sentence}" in caplog.text


def test_a_worker_that_changed_on_the_way_is_sent_away(task: Task) -> None:
    workers = {"tcp://a:1": WANTED, "tcp://b:1": WANTED}
    client = Client(workers, [("tcp://b:1", Refused("it differs")), ("tcp://a:1", MADE)])
    assert run(client, task) == ([MADE], [])
    assert client.retired == ["tcp://b:1"]


def test_a_film_is_sent_where_it_is_not_seen(
    task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(farm_module, "_CHUNK", 4)
    films = tmp_path / "films"
    answers = [("tcp://a:1", Unseen()), ("tcp://a:1", MADE)]
    client = Client({"tcp://a:1": WANTED}, answers, folder=str(films))
    assert run(client, task, sends=True) == ([MADE], [])
    (there,) = films.iterdir()
    assert (there.name, there.read_bytes()) == ("ab.mkv", b"0123456789")


def test_a_film_is_sent_once_to_a_worker_that_asked_twice(task: Task, tmp_path: Path) -> None:
    films = tmp_path / "films"
    answers = [("tcp://a:1", Unseen())] * 2 + [("tcp://a:1", MADE)] * 2
    client = Client({"tcp://a:1": WANTED}, answers, folder=str(films))
    made: list[Made] = []
    farm = Farm(cast("Any", client), WANTED, NETWORKS, sends=True)
    for _ in range(2):
        farm.add("film", task, made.append, lambda _: None)
    farm.run(lambda: None)
    assert (len(made), client.num_received) == (2, 1)


def test_a_film_that_a_worker_never_sees_is_given_up(task: Task, tmp_path: Path) -> None:
    answers = [("tcp://a:1", Unseen())] * 9
    client = Client({"tcp://a:1": WANTED}, answers, folder=str(tmp_path / "films"))
    made, (error,) = run(client, task, sends=True)
    assert made == []
    assert error.message == "a segment failed 3 times: worker a:1 did not have the film"


def test_a_film_is_sent_only_when_that_was_asked_for(task: Task) -> None:
    made, (error,) = run(Client({"tcp://a:1": WANTED}, [("tcp://a:1", Unseen())]), task)
    assert made == []
    assert error.message == f'worker a:1 cannot access "{task.source}"'
    assert error.hint.startswith("add --send")


def test_a_scheduler_that_is_gone_is_an_error(task: Task) -> None:
    with pytest.raises(ClusterError, match="lost the connection to the scheduler"):
        run(Client({}, [], status="closed"), task)


def test_of_a_film_that_failed_nothing_more_is_made(task: Task) -> None:
    class Picky(Client):
        def submit(self, call: Any, _wanted: Any, task: Task, **_: Any) -> Future:
            is_bad = task.first == 0
            return Future(("tcp://a:1", Failed("no", "") if is_bad else MADE))

    made: list[str] = []
    farm = Farm(cast("Any", Picky({"tcp://a:1": WANTED}, [])), WANTED, NETWORKS, sends=False)
    for number in range(4):
        broken = replace(task, first=0, stop=number)
        farm.add("bad", broken, lambda _: made.append("bad"), lambda _: farm.drop("bad"))
    farm.add("good", replace(task, first=9), lambda _: made.append("good"), lambda _: None)
    farm.run(lambda: None)
    assert made == ["good"]
