"""Every model rtvfi knows, whether its weights are here or not; no torch, no files."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import UnknownModel
from rtvfi.core.program import command_line
from rtvfi.models.discover import modules

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtvfi.models.base import ModelInfo

MODELS: Final[dict[str, ModelInfo]] = {
    row.id: row
    for rows in sorted(modules("rows"), key=lambda rows: rows.PLACE)
    for row in rows.ROWS
}
"""By id, in the order they are listed to the user: by the ``PLACE`` of their family. A family is a
package; its ``rows`` say what callers must know before there are weights."""

FOR_RENDERING: Final = 500.0
"""10^9 multiply-adds of a frame from which on a network is one to render with."""


def lighter(model_id: str) -> list[ModelInfo]:
    """Networks that can stand in for a model when it is too slow, the best first.

    They take the same pictures, as many a call, and half the multiply-adds at most.
    """
    row = find(model_id)
    most = (row.gmac_1080p or 0.0) / 2
    fitting = [
        other
        for other in MODELS.values()
        if (other.picture, other.num_frames) == (row.picture, row.num_frames)
        and other.gmac_1080p is not None
        and 0 < other.gmac_1080p <= most
    ]
    return fitting[::-1]  # newer versions stand behind older ones


def stand_ins(model_id: str, is_here: Callable[[ModelInfo], bool]) -> list[ModelInfo]:
    """Two-frame networks to step down to when a model is too slow, the best first.

    For a network made for rendering these are a RIFE and, below that, ``cel``; for others one that
    ``lighter`` names.

    Args:
        model_id: an id of the catalogue.
        is_here: whether a row's weights are on this machine.
    """
    work = find(model_id).gmac_1080p or 0.0
    if work < FOR_RENDERING:
        return [row for row in lighter(model_id) if is_here(row)][:1]
    here = [row for row in MODELS.values() if row.family in ("rife", "cel") and is_here(row)]
    newest = [row for row in here if row.family == "rife"][-1:]
    return newest + [row for row in here if row.family == "cel"]


def find(model_id: str) -> ModelInfo:
    """The row of that id.

    Raises:
        UnknownModel: no model has that id; the hint names the nearest one.
    """
    row = MODELS.get(model_id)
    if row is None:
        near = get_close_matches(model_id, MODELS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else command_line("models lists them")
        raise UnknownModel(f'there is no model "{model_id}"', hint=hint)
    return row
