"""``rtvfi worker``: a Dask worker that renders segments, one at a time."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from rtvfi.cluster.link import check_installed
from rtvfi.core.errors import ClusterError, first_line

if TYPE_CHECKING:
    from rtvfi.cluster.link import Link

log = logging.getLogger(__name__)

RESOURCE = "GPU"
"""Dask's name of what a segment needs and a worker has one of."""
_CONNECT_SECONDS = 15


def work(link: Link, name: str | None) -> int:
    """Take segments until the scheduler or the user ends it.

    Args:
        link: to the scheduler.
        name: shown on the dashboard; by default the address.

    Returns:
        0 when the scheduler ended it, 130 after Ctrl+C.

    Raises:
        UsageError: the address is not allowed, or the package missing.
        ClusterError: nobody answers.
    """
    link.check()
    check_installed()
    logging.getLogger("distributed").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="rtvfi-worker-") as folder, suppress(KeyboardInterrupt):
        asyncio.run(_work(link, name, folder))
        return 0
    return 130


async def _work(link: Link, name: str | None, folder: str) -> None:
    from distributed import Worker

    try:
        worker = await Worker(
            link.full_address,
            nthreads=1,
            name=name,
            resources={RESOURCE: 1},
            security=link.security(),
            local_directory=folder,
            dashboard=False,
            death_timeout=_CONNECT_SECONDS,
            memory_limit=0,  # Dask would pause a worker that holds large segments
        )
    except (OSError, RuntimeError) as error:
        raise ClusterError(
            f"no scheduler answers at {link.full_address}: {first_line(error)}",
            "dask scheduler starts one and prints its address",
        ) from error
    log.info("waiting for work of %s", link.full_address)
    await worker.finished()
