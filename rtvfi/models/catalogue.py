"""The catalogue of all models, whether or not their weights are installed. Needs no torch."""

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
"""All models by id, in the order in which users see them: by the ``PLACE`` of their family. Each
family is a package; its module ``rows`` lists its models.
"""

FOR_RENDERING: Final = 500.0
"""Networks with at least this many 10^9 multiply-adds per frame are meant for rendering only."""


def lighter(model_id: str) -> list[ModelInfo]:
    """Models that can replace a model that is too slow, best first.

    They take the same kind and number of pictures and need at most half the multiply-adds.

    Raises:
        UnknownModel: no model has that id.
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
    return fitting[::-1]  # newer versions are listed after older ones


def stand_ins(model_id: str, is_here: Callable[[ModelInfo], bool]) -> list[ModelInfo]:
    """The models to fall back to while playing when a model is too slow, best first.

    For a network meant for rendering these are a RIFE and, after that, ``cel``; for others, the
    first installed one of ``lighter``.

    Args:
        model_id: an id of the catalogue.
        is_here: tells whether a row's weights are installed.
    """
    work = find(model_id).gmac_1080p or 0.0
    if work < FOR_RENDERING:
        return [row for row in lighter(model_id) if is_here(row)][:1]
    here = [row for row in MODELS.values() if row.family in ("rife", "cel") and is_here(row)]
    newest = [row for row in here if row.family == "rife"][-1:]
    return newest + [row for row in here if row.family == "cel"]


def find(model_id: str) -> ModelInfo:
    """The row with that id.

    Raises:
        UnknownModel: no model has that id; the hint names similar ids.
    """
    row = MODELS.get(model_id)
    if row is None:
        near = get_close_matches(model_id, MODELS, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else command_line("models lists them")
        raise UnknownModel(f'there is no model "{model_id}"', hint=hint)
    return row
