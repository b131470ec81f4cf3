"""Every family of networks, and which of them a weight file is for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rtvfi.core.errors import WeightsMismatch
from rtvfi.models.cel.family import FAMILY as CEL
from rtvfi.models.dis.family import FAMILY as DIS
from rtvfi.models.distil_drba.family import FAMILY as DISTIL_DRBA
from rtvfi.models.drba.family import FAMILY as DRBA
from rtvfi.models.family import strip_prefix
from rtvfi.models.gimm.family import FAMILY as GIMM
from rtvfi.models.gmfss.family import FAMILY as GMFSS
from rtvfi.models.interpany.family import FAMILY as INTERPANY
from rtvfi.models.linear.family import FAMILY as LINEAR
from rtvfi.models.rife.family import FAMILY as RIFE
from rtvfi.models.safa.family import FAMILY as SAFA

if TYPE_CHECKING:
    from rtvfi.models.family import Detected, Family, State

FAMILIES: Final[dict[str, Family]] = {
    family.name: family
    for family in (LINEAR, DIS, CEL, GIMM, SAFA, GMFSS, INTERPANY, DISTIL_DRBA, RIFE, DRBA)
}
"""By name. The first that knows a state dict has it: those with a narrow rule stand first."""


def detect(state: State) -> Detected:
    """Which network a state dict is for, from its keys and shapes alone.

    Raises:
        WeightsMismatch: none that rtvfi knows, or one that is not whole; it names a parameter.
    """
    state = strip_prefix(state)
    for family in FAMILIES.values():
        found = family.detect(state)
        if found is not None:
            return found
    first = next(iter(state), "")
    raise WeightsMismatch(f'no known network has a parameter "{first}"')
