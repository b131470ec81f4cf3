"""The studio's web server, reachable from this machine only, until the page is closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from rtvfi.studio.app import application, new_token
from rtvfi.studio.cut_out import cut_out
from rtvfi.studio.desk import Desk
from rtvfi.studio.film import Film
from rtvfi.studio.presence import Presence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtvfi.studio.codec import Rgb
    from rtvfi.studio.desk import Cut

log = logging.getLogger(__name__)

HOST: Final = "127.0.0.1"
_LOOK_SECONDS: Final = 1.0


class Server(uvicorn.Server):
    """A server that exits when all pages are closed."""

    def __init__(self, config: uvicorn.Config, presence: Presence) -> None:
        super().__init__(config)
        self._presence = presence

    async def main_loop(self) -> None:
        """Serve, and check once a second whether pages are open."""
        looking = asyncio.get_running_loop().create_task(self._look())
        try:
            await super().main_loop()
        finally:
            looking.cancel()

    async def _look(self) -> None:
        while not self._presence.is_over(time.monotonic()):
            await asyncio.sleep(_LOOK_SECONDS)
        log.info("the page is closed")
        self.should_exit = True


@contextlib.contextmanager
def opened(
    film: str | None, ends: tuple[Rgb, ...], device: str, sam: Path | None = None
) -> Iterator[Desk]:
    """The state of a studio, with a temporary folder for exported files.

    Args:
        film: path of the film to pick frames from, or None.
        ends: the two pictures to start with, or none.
        device: where networks run, a value of ``--device``.
        sam: weights of Segment Anything for turning boxes into masks; None = use GrabCut.

    Raises:
        OpenError: the film cannot be read.
        UsageError: Segment Anything is not installed.
        WeightsMismatch: the weights belong to another network.
    """
    cut: Cut = cut_out
    if sam is not None:
        from rtvfi.studio.anything import SegmentAnything  # imports torch, which takes seconds

        cut = SegmentAnything(sam, device)
    with tempfile.TemporaryDirectory(prefix="rtvfi-studio-") as folder:
        desk = Desk(device, Path(folder), None if film is None else Film(film), cut)
        try:
            for which, rgb in enumerate(ends):
                desk.put(which, rgb)
            yield desk
        finally:
            desk.close()


def serve(desk: Desk, port: int, show: Callable[[str], None]) -> None:
    """Serve until the page is closed or the process is interrupted.

    Args:
        desk: the state that the page works on.
        port: to listen on; 0 = a free one.
        show: called with the page's URL once it can be opened.
    """
    presence, token = Presence(), new_token()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
        config = uvicorn.Config(
            application(desk, presence, token),
            log_level="warning",
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=5,
        )
        show(f"http://{HOST}:{listening.getsockname()[1]}/{token}/")
        Server(config, presence).run(sockets=[listening])


def browse(address: str) -> None:
    """Open the page in the user's browser, if there is one."""
    with contextlib.suppress(webbrowser.Error):
        webbrowser.open(address)
