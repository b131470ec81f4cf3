"""``rtvfi render --on ADDRESS``: has films rendered by the workers of a cluster and joins them."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rtvfi.cluster.farm import Farm
from rtvfi.cluster.link import connected
from rtvfi.cluster.segments import segment_frames, split
from rtvfi.cluster.store import SegmentStore
from rtvfi.cluster.work import Task, identity
from rtvfi.core.errors import DecodeError, OpenError, RtvfiError, UsageError
from rtvfi.core.files import is_address
from rtvfi.render.frames import terminable
from rtvfi.render.maker import Maker
from rtvfi.render.progress import State
from rtvfi.render.render import checked_target
from rtvfi.render.run import whole_job
from rtvfi.render.shows import Shows
from rtvfi.render.target import journal_for
from rtvfi.stream.write.beside.companion import say_differences
from rtvfi.stream.write.encoders.codecs import CODECS
from rtvfi.stream.write.join import FileExcerpt, join
from rtvfi.stream.write.picture_writer import holds_pictures
from rtvfi.stream.write.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtvfi.cluster.link import Link
    from rtvfi.cluster.segments import Segment
    from rtvfi.cluster.work import Made
    from rtvfi.settings.config import RenderOptions
    from rtvfi.stream.write.job import Job
    from rtvfi.stream.write.journal import Journal

log = logging.getLogger(__name__)


def render_on(options: RenderOptions, link: Link, *, sends: bool) -> int:
    """Render all files on a cluster; if one fails, the others are still rendered.

    Args:
        options: as for ``render``.
        link: to the cluster's scheduler.
        sends: send films to workers that cannot access them.

    Returns:
        The exit code: 0 when all were rendered, 130 after Ctrl+C.

    Raises:
        RtvfiError: the options are unusable, or the first failure of a file. Running the same
            command again continues.
    """
    if options.is_png_only or options.keeps_pngs:
        raise UsageError("a cluster cannot write folders of pictures", "leave --on out")
    with terminable(), connected(link) as client:
        maker = Maker(options)
        orders = [_Order.of(options, maker, source) for source in options.files]
        networks = options.model, options.enhance
        farm = Farm(client, identity(*networks), networks, sends=sends)
        if "dashboard" in client.scheduler_info()["services"]:
            log.info("dashboard: %s", client.dashboard_link)
        with Shows(options) as shows:
            return _Rendering(options, orders, farm, shows).run()


@dataclass(slots=True, eq=False)
class _Order:
    """One film to render, and the state of its segments."""

    source: str
    facts: Mapping[str, object]
    """What identifies the film's content, see ``file_facts``."""
    job: Job
    journal: Journal
    store: SegmentStore
    last: int | None
    """Expected grid index after its last picture; None if the duration is unknown."""
    stop: int | None
    """Grid index to stop before; None = the end of the film."""
    segments: tuple[Segment, ...] = ()
    failure: RtvfiError | None = None
    is_done: bool = False

    @classmethod
    def of(cls, options: RenderOptions, maker: Maker, source: str) -> _Order:
        """Open a film and find what an earlier run rendered of it.

        Raises:
            RtvfiError: it cannot be rendered, or its output cannot be written.
        """
        with ExitStack() as opened:
            film = maker.open(source, opened)
            target, form = checked_target(options, film)
            if holds_pictures(form):
                raise UsageError(f"a cluster cannot write a {form}", "leave --on out")
            line = Timeline(film.grid, film.part.first)
            facts = maker.facts(film)
            journal = journal_for(options, target, form, facts, line)
            return cls(
                source=source,
                facts=cast("Mapping[str, object]", facts["input"]),  # of ``file_facts``
                job=whole_job(options, film, target, form),
                journal=journal,
                store=SegmentStore(journal.folder),
                last=film.last(film.part.stop),
                stop=film.part.stop,
            )

    @property
    def num_wanted(self) -> int | None:
        """Expected number of pictures; None if the duration is unknown."""
        return None if self.last is None else self.last - self.job.first_index

    @property
    def num_here(self) -> int:
        """Number of pictures in the finished segments."""
        return sum(stored.num_frames for stored in self.store.here.values())

    def finish(self) -> str:
        """Join the segments into the output; returns the name of their encoder.

        Raises:
            RtvfiError: the file cannot be written, or pictures are missing.
        """
        excerpts = []
        encoder = ""
        is_over = False
        for segment in self.segments:
            stored = self.store.here[segment]
            wanted = None if segment.stop is None else segment.stop - segment.first
            if is_over and stored.num_frames:
                raise DecodeError(f'"{self.source}" has no pictures before picture {segment.first}')
            is_over = stored.num_frames != wanted
            if stored.num_frames:
                encoder = stored.encoder
                excerpts.append(FileExcerpt(self.store.path(segment), 0, stored.num_frames))
        if not excerpts:
            raise OpenError(f'"{self.job.path.name}" would be empty: no frame at or after --start')
        join(excerpts, self.job, CODECS[encoder].reorder)
        self.journal.end()
        self.is_done = True
        return encoder


class _Rendering:
    """The rendering of all files of a command. Not thread-safe."""

    def __init__(
        self, options: RenderOptions, orders: list[_Order], farm: Farm, shows: Shows
    ) -> None:
        self._options = options
        self._orders = orders
        self._farm = farm
        self._num_before = 0
        """Pictures that an earlier run rendered."""
        name = orders[0].job.path if len(orders) == 1 else Path(f"{len(orders)} films")
        source = orders[0].source if len(orders) == 1 else str(name)
        self._progress = shows.begin(source, name, len(orders))

    def run(self) -> int:
        """Render all files; returns the exit code and raises as ``render_on`` does."""
        try:
            self._plan()
            self._farm.run(self._look)
        except KeyboardInterrupt:
            num_here = sum(len(order.store.here) for order in self._orders if not order.is_done)
            log.info("stopped with %d segments; run the same command again to continue", num_here)
            return 130
        finally:
            self._progress.end()
        tally = ", ".join(f"{worker} {count}" for worker, count in self._farm.tally.most_common())
        if tally:
            log.info("segments by worker: %s", tally)
        for order in self._orders:
            if order.failure is not None:
                raise order.failure
        return 0

    def _plan(self) -> None:
        self._farm.wait_for_one(self._look)
        total = sum(order.num_wanted or 0 for order in self._orders)
        for order in self._orders:
            job = order.job
            if job.source is not None:
                say_differences(job.source, job.container, has_audio=job.has_audio)
            length = segment_frames(total, self._farm.num_workers, 1 / job.grid.step)
            planned = split(job.first_index, order.last, order.stop, length)
            order.segments = order.store.plan(planned)
            if order.store.here:
                log.info(
                    "continuing: %d of %d segments are finished",
                    *map(len, (order.store.here, order.segments)),
                )
            elif self._options.must_resume:
                raise UsageError(f'"{job.path}" cannot be resumed', "leave --resume out")
            self._num_before += order.num_here
            self._give_out(order)

    def _give_out(self, order: _Order) -> None:
        source = order.source
        if not is_address(source):  # a worker has its own working directory
            source = str(Path(source).absolute())
        options = replace(self._options, files=(source,), output=None, status=None)
        for segment in order.segments:
            if segment in order.store.here:
                continue
            task = Task(
                options=options,
                source=source,
                facts=order.facts,
                form=order.job.container,
                first=segment.first,
                stop=segment.stop,
            )
            self._farm.add(
                order, task, partial(self._made, order, segment), partial(self._failed, order)
            )
        self._finish_if_whole(order)

    def _made(self, order: _Order, segment: Segment, made: Made) -> None:
        if order.failure is None:
            log.debug("segment of %d pictures: %.3f s", made.num_frames, made.seconds)
            order.store.put(segment, made)
            self._finish_if_whole(order)

    def _finish_if_whole(self, order: _Order) -> None:
        if len(order.store.here) < len(order.segments):
            return
        try:
            encoder = order.finish()
        except RtvfiError as error:
            self._failed(order, error)
            return
        log.info('"%s": %d frames, %s', order.job.path, order.num_here, encoder)

    def _failed(self, order: _Order, error: RtvfiError) -> None:
        """Give up on a film and cancel its remaining segments."""
        if order.failure is None and len(self._orders) > 1:
            log.warning("%s: %s", order.source, error.message)
        order.failure = order.failure or error
        self._farm.drop(order)

    def _look(self) -> None:
        num_here = sum(order.num_here for order in self._orders)
        wanted = [order.num_wanted for order in self._orders]
        known = [number for number in wanted if number is not None]
        self._progress.show(
            State(
                num_frames=num_here,
                num_made=num_here - self._num_before,
                total=sum(known) if len(known) == len(wanted) else None,
                num_bytes=sum(order.store.num_bytes for order in self._orders),
                stages_ms={},
            )
        )
