"""Submits segments to the workers of a cluster and collects the results."""

from __future__ import annotations

import logging
import queue
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rtvfi.cluster.work import (
    Failed,
    Made,
    Refused,
    Task,
    Unseen,
    difference,
    identity,
    leave,
    perform,
    receive,
    stored_name,
)
from rtvfi.cluster.worker import RESOURCE
from rtvfi.core.errors import ClusterError, first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import distributed

    from rtvfi.cluster.work import Identity, Outcome
    from rtvfi.core.errors import RtvfiError

    Future = distributed.Future[tuple[str, Outcome]]
    """Result of a task: the address of the worker that ran it, and the outcome."""

log = logging.getLogger(__name__)

_MOST_TRIES: Final = 3
"""Maximum attempts at a segment; a film that makes one worker fail will probably fail on others."""
_AHEAD: Final = 2
"""Segments submitted per worker: one in progress and one queued, so that workers never idle."""
_LOOK_SECONDS: Final = 0.2
_CHUNK: Final = 16 << 20


@dataclass(slots=True)
class _Order:
    """A segment to be rendered."""

    film: object
    """The film it belongs to, as passed to ``Farm.add``; see ``Farm.drop``."""
    task: Task
    done: Callable[[Made], None]
    failed: Callable[[RtvfiError], None]
    num_tries: int = 0


class Farm:
    """The usable workers of a cluster and the segments submitted to them. Not thread-safe.

    Args:
        client: a Dask client.
        wanted: the versions and weights that a worker must have.
        networks: names of the model and of the restoring network (or None), whose weights are in
            ``wanted``.
        sends: send films to workers that cannot access them.
    """

    def __init__(
        self,
        client: distributed.Client,
        wanted: Identity,
        networks: tuple[str, str | None],
        *,
        sends: bool,
    ) -> None:
        self._client = client
        self._wanted = wanted
        self._networks = networks
        self._sends = sends
        self._suited: dict[str, str] = {}
        """Usable workers: address -> the worker's folder for films."""
        self._refused: set[str] = set()
        self._waiting: deque[_Order] = deque()
        self._under_way: dict[Future, _Order] = {}
        self._ended: queue.SimpleQueue[Future] = queue.SimpleQueue()
        self._is_lonely = False
        self._sent: set[tuple[str, str]] = set()
        """(worker address, file name) of every film that was sent."""
        self.tally: Counter[str] = Counter()
        """Number of finished segments by worker."""

    @property
    def num_workers(self) -> int:
        """Number of usable workers."""
        return len(self._suited)

    def add(
        self,
        film: object,
        task: Task,
        done: Callable[[Made], None],
        failed: Callable[[RtvfiError], None],
    ) -> None:
        """Queue a segment after those added before.

        Args:
            film: the film it belongs to, any object; see ``drop``.
            task: the segment.
            done: called within ``run`` with the result.
            failed: called within ``run`` instead if the segment cannot be rendered.
        """
        self._waiting.append(_Order(film, task, done, failed))

    def drop(self, film: object) -> None:
        """Cancel all remaining segments of a film."""
        self._waiting = deque(order for order in self._waiting if order.film is not film)
        for future, order in list(self._under_way.items()):
            if order.film is film:
                del self._under_way[future]
                self._client.cancel(future)

    def wait_for_one(self, look: Callable[[], None]) -> None:
        """Wait until there is a usable worker.

        Args:
            look: called several times a second.

        Raises:
            ClusterError: the connection to the scheduler is lost.
        """
        while True:
            self.meet()
            if self._suited:
                return
            look()
            time.sleep(_LOOK_SECONDS)

    def run(self, look: Callable[[], None]) -> None:
        """Render all queued segments.

        Args:
            look: called several times a second.

        Raises:
            RtvfiError: the connection to the scheduler is lost, or ``done`` raised it.
        """
        try:
            while self._waiting or self._under_way:
                self.meet()
                self._hand_out()
                with suppress(queue.Empty):
                    self._take(self._ended.get(timeout=_LOOK_SECONDS))
                look()
        finally:
            self._client.cancel(list(self._under_way), force=True)
            self._under_way.clear()

    def meet(self) -> None:
        """Update the list of usable workers; new workers that cannot be used are refused.

        Raises:
            ClusterError: the connection to the scheduler is lost.
        """
        if self._client.status != "running":
            raise ClusterError(
                "lost the connection to the scheduler",
                "start the scheduler and run the same command again to continue",
            )
        there = self._client.nthreads()
        for address in self._suited.keys() - there.keys():
            log.warning("worker %s has disconnected", _short(address))
            del self._suited[address]
        new = there.keys() - self._suited.keys() - self._refused
        if new:
            self._look_at(new)
        if not self._suited and not self._is_lonely:
            log.warning("there is no usable worker: waiting for one")
        self._is_lonely = not self._suited

    def _look_at(self, new: Iterable[str]) -> None:
        found = self._client.run(introduce, *self._networks, workers=list(new), on_error="return")
        for address, answer in found.items():
            if isinstance(answer, OSError):
                continue  # it has just disconnected
            if isinstance(answer, BaseException):
                self._send_away(address, f"it is not a worker of rtvfi: {first_line(answer)}")
                continue
            its_identity, films = answer
            sentence = difference(self._wanted, its_identity)
            if sentence:
                self._send_away(address, sentence)
            else:
                self._suited[address] = films

    def _send_away(self, address: str, sentence: str) -> None:
        self._refused.add(address)
        self._suited.pop(address, None)
        log.warning("worker %s is refused: %s", _short(address), sentence)
        self._client.run(leave, sentence, workers=[address], on_error="ignore")
        self._client.retire_workers([address])

    def _hand_out(self) -> None:
        while self._waiting and len(self._under_way) < _AHEAD * len(self._suited):
            order = self._waiting.popleft()
            # Dask chooses the worker, so on_worker finds out the folder for films itself.
            future = self._client.submit(
                on_worker,
                self._wanted,
                order.task,
                resources={RESOURCE: 1},
                pure=False,
            )
            self._under_way[future] = order
            future.add_done_callback(self._ended.put)

    def _take(self, future: Future) -> None:
        order = self._under_way.pop(future, None)
        if order is None:
            return
        if future.status != "finished":
            self._again(order, _why(future))
            return
        address, outcome = future.result()
        if isinstance(outcome, Made):
            self.tally[_short(address)] += 1
            order.done(outcome)
        elif isinstance(outcome, Refused):
            if address not in self._refused:
                self._send_away(address, outcome.sentence)
            self._waiting.appendleft(order)
        elif isinstance(outcome, Unseen):
            self._send(order, address)
        else:
            self._again(order, f"worker {_short(address)}: {outcome.message}", outcome)

    def _again(self, order: _Order, why: str, failed: Failed | None = None) -> None:
        order.num_tries += 1
        if order.num_tries == _MOST_TRIES:
            hint = failed.hint if failed else ""
            order.failed(ClusterError(f"a segment failed {_MOST_TRIES} times: {why}", hint))
            return
        log.warning("retrying a segment: %s", why)
        self._waiting.appendleft(order)

    def _send(self, order: _Order, address: str) -> None:
        """Send the film to a worker that does not have it, and queue the segment again."""
        source = Path(order.task.source)
        if not self._sends or not source.is_file():
            order.failed(
                ClusterError(
                    f'worker {_short(address)} cannot access "{source}"',
                    "add --send, or put it where all machines find it under the same path",
                )
            )
            return
        films = self._suited.get(address)
        name = stored_name(str(source), order.task.facts)
        if films is None or (address, name) in self._sent:
            # The worker has disconnected, or looked for the film before it had arrived.
            self._again(order, f"worker {_short(address)} did not have the film")
            return
        self._waiting.appendleft(order)
        log.info('sending "%s" to worker %s', source.name, _short(address))
        give = partial(self._client.run, receive, films, name)
        try:
            with source.open("rb") as file:
                offset, data = 0, file.read(_CHUNK)
                while data:
                    following = file.read(_CHUNK)
                    give(offset, data, is_last=not following, workers=[address], on_error="raise")
                    offset, data = offset + len(data), following
            self._sent.add((address, name))
        except OSError as error:
            log.warning("sending to worker %s failed: %s", _short(address), first_line(error))


def introduce(
    model: str, enhance: str | None, dask_worker: distributed.Worker
) -> tuple[Identity, str]:
    """Runs on a worker: its ``identity`` and its folder for films.

    Dask passes the worker as the argument named ``dask_worker``.
    """
    return identity(model, enhance), _films(dask_worker)


def on_worker(wanted: Identity, task: Task) -> tuple[str, Outcome]:
    """Runs on a worker: its address, and the outcome of ``perform``."""
    from distributed import get_worker

    worker = get_worker()
    return worker.address, perform(wanted, task, _films(worker))


def _films(worker: distributed.Worker) -> str:
    return str(Path(worker.local_directory) / "films")


def _why(future: Future) -> str:
    if future.status == "error":
        error = future.exception()
        if type(error).__name__ == "KilledWorker":
            return "the workers that rendered it crashed"
        return first_line(error)
    return "the worker that rendered it has disconnected"


def _short(address: str) -> str:
    """An address without its protocol."""
    return address.partition("://")[2] or address
