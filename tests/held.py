"""What an executor holds on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rtvfi.stream.run.executors.base import ExecutorBase


def held(executor: ExecutorBase[Any]) -> int:
    """Pictures held right now."""
    cache = executor._cache
    return len(cache.prepared.keys() | cache.pictures.keys())
