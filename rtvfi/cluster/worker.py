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
"""Name of the Dask resource that limits workers: each has one, and each segment needs one."""
_CONNECT_SECONDS = 15


def work(link: Link, name: str | None) -> int:
    """Render segments until the scheduler or the user stops this worker.

    Args:
        link: to the scheduler.
        name: shown on the dashboard; None = the worker's address.

    Returns:
        The exit code: 0 if the scheduler stopped it, 130 after Ctrl+C.

    Raises:
        UsageError: the address is not allowed, or the package is not installed.
        ClusterError: the scheduler does not answer.
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
    log.info("waiting for work from %s", link.full_address)
    await worker.finished()
