"""Makes tests/goldens/networks from the full set of reference numbers: every case of every network,
fewer pixels of each.

    .venv/bin/python tests/goldens_thin.py FOLDER    the folder of the full set
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from golden_fill import load_rife

HERE = Path(__file__).resolve().parent / "goldens" / "networks"
FEATURES_OF = ("4.7", "4.10", "4.25", "4.26.heavy")
"""One architecture for every kind of encoder."""
COARSER = 3
"""Of the pixels stored, one in so many rows and columns is kept."""
NOT_ASKED_FOR = ("avg_of_clean_and_1m09clean", "dr_map_table")
KEY_LISTS = (
    "rife_state_dicts.json",
    "distildrba_keys.json",
    "gimm_keys.json",
    "safa_keys.json",
    "gmfss_keys.json",
    "gmfss_union_keys.json",
    "gmfss_union_fortuna_keys.json",
    "gmfss_crc.json",
    "interpany_keys.json",
)


def main(full: Path) -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    for path in sorted(full.glob("rife_v*.npz")):
        pad, cases, arrays = load_rife(path)
        if path.stem.removeprefix("rife_v") not in FEATURES_OF:
            arrays.pop("t25.feat0", None)
        save(path.name, {"pad": pad, "cases": cases}, arrays)
    for path in sorted(full.glob("distildrba_*.npz")):
        with np.load(path) as file:
            meta = json.loads(str(file["meta"]))
            save(path.name, meta, {key: file[key] for key in file.files if key != "meta"})
    with np.load(full / "rife_drba.npz") as file:
        arrays = {key: thinner(key, file[key]) for key in file.files if key != "meta"}
        np.savez_compressed(HERE / "rife_drba.npz", **arrays)
    with np.load(full / "rife_softsplat.npz") as file:
        np.savez_compressed(HERE / "rife_softsplat.npz", **dict(file))
    for name in ("gimm_pair.npz", "gimm_ds05.npz"):
        with np.load(full / name) as file:
            arrays = {key: every_second(file[key], 64) for key in file.files}
            np.savez_compressed(HERE / name, **arrays)
    with np.load(full / "safa_enhance.npz") as file:
        arrays = {key: every_second(file[key], 48) for key in file.files}
        np.savez_compressed(HERE / "safa_enhance.npz", **arrays)
    for path in sorted(full.glob("gmfss_*.npz")):
        with np.load(path) as file:
            arrays = {key: file[key] for key in file.files}
        if path.stem not in ("gmfss_flow", "gmfss_softsplat"):
            arrays = {key: thinner_map(array) for key, array in arrays.items()}
        np.savez_compressed(HERE / path.name, **arrays)
    for path in sorted(full.glob("interpany_*.npz")):
        save_interpany(path)
    for name in KEY_LISTS:
        lists = json.loads((full / name).read_text(encoding="utf-8"))
        text = json.dumps(lists, separators=(",", ":"))
        (HERE / name).write_text(text + "\n", encoding="utf-8")


def save(name: str, meta: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Pictures of the cases thinned out, which ``step`` says; flows and features as they are."""
    cases = []
    for case in meta["cases"]:
        key = f"{case['id']}.out"
        more = COARSER if case["step"] == 1 else 1
        arrays[key] = arrays[key][..., ::more, ::more]
        cases.append(case | {"step": more * case["step"]})
    text = np.array(json.dumps(meta | {"cases": cases}))
    np.savez_compressed(HERE / name, meta=text, **arrays)


def save_interpany(path: Path) -> None:
    """Pictures and levels thinned out, ``stride`` and ``first`` say how; small things whole."""
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
        arrays = {key: file[key] for key in file.files if key not in ("meta", *NOT_ASKED_FOR)}
    for case in meta.get("cases", ()):
        stride = case.get("stride", 1)
        more = COARSER if stride == 1 else 1
        key = f"{case['id']}.out"
        if key in arrays:
            arrays[key] = arrays[key][..., ::more, ::more]
            case |= {"stride": more * stride, "first": stride // 2}
        if "num" in case:
            arrays[case["id"]] = arrays[case["id"]][:, ::COARSER, ::COARSER]
    np.savez_compressed(HERE / path.name, meta=np.array(json.dumps(meta)), **arrays)


def thinner(key: str, array: Any) -> Any:
    """Pictures, flows and maps of DRBA at every second stored pixel; small things whole."""
    is_whole = key.startswith(("syn", "drmt")) or key.endswith("holes")
    return array if is_whole else array[..., ::2, ::2]


def every_second(array: Any, width: int) -> Any:
    """Pictures of that width at every second row and column, everything else whole."""
    return array[..., ::2, ::2] if array.ndim > 1 and array.shape[-1] == width else array


def thinner_map(array: Any) -> Any:
    """Maps and pictures at every second pixel; packed bits, means and features whole."""
    return array[..., ::2, ::2] if array.ndim > 1 and array.shape[-1] >= 64 else array


if __name__ == "__main__":
    main(Path(sys.argv[1]))
