"""What an executor holds on its device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rtvfi.stream.run.executors.base import AnyExecutor


def held(executor: AnyExecutor) -> int:
    """Pictures held right now."""
    cache = executor._cache
    return len(cache.prepared.keys() | cache.pictures.keys())
