"""Mistakes that are easily made, and would show in no shape: each moves the numbers far beyond the
tolerance that the reference is held to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from gmfss_nets import (
    assert_mostly_near,
    assert_picture,
    link,
    made_steps,
    model,
    prepared,
    stored,
)
from torch.nn import functional

from rtvfi.models.gmfss import gmflow, metric, ratios
from rtvfi.models.gmfss import model as model_module
from rtvfi.models.gmfss.layers import Layers
from rtvfi.models.gmfss.model import reversed_link
from rtvfi.models.gmfss.ratios import splat_steps
from rtvfi.models.warp import backwarp, splat

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from rtvfi.models.gmfss.model import GmfssPrepared

UNION = "gmfss-union"

pytestmark = pytest.mark.usefixtures("inference")


def check_flow() -> None:
    fresh = model("gmfss").gmflow.flows(*(prepared("gmfss", i).matchable for i in (1, 2)))
    assert_mostly_near(fresh[0][0], stored("gmfss_flow")["flow12"], 1e-2)


def check_metric() -> None:
    motion = link("gmfss", 1, 2)
    a, b = (prepared("gmfss", i).half for i in (1, 2))
    fresh = model("gmfss").metric_net(a, b, motion.ab, motion.ba)
    wanted = stored("gmfss_pair")
    assert_mostly_near(fresh[0][0], wanted["metric12"], 1e-2, but=0.01)
    assert_mostly_near(fresh[1][0], wanted["metric21"], 1e-2, but=0.01)


def check_picture() -> None:
    a, b = prepared("gmfss", 1), prepared("gmfss", 2)
    out = model("gmfss").between(a, b, link("gmfss", 1, 2), [0.4])
    assert_picture(out, "gmfss_pair", "out12_t0.4")


def check_steps() -> None:
    near, far = link("gmfss", 1, 0), link("gmfss", 1, 2)
    for name, out in zip(
        ("drm1t_t01", "drm0t_t01"),
        splat_steps(0.4, near.ab, far.ab, near.metric_a),
        strict=True,
    ):
        wanted = stored("gmfss_drba")[f"{name}_lin"].astype("f4") / 65535
        assert_mostly_near(out[0, 0], wanted, 1e-2)


def check_swap() -> None:
    net, steps = model(UNION), made_steps()
    pair = (prepared(UNION, 1), prepared(UNION, 2))
    assert net.rife is not None
    rife = net.rife.pair(pair[0].rife, pair[1].rife, [0.4])  # type: ignore[arg-type]
    out = net.fused(model_module.sides(pair, link(UNION, 1, 2), steps), rife, steps)
    assert_picture(out, "gmfss_union_drba", "swap_on")


def check_second_triple() -> None:
    frames = (prepared(UNION, 1), prepared(UNION, 2), prepared(UNION, 3))
    out = model(UNION).triple(frames, (link(UNION, 1, 2), link(UNION, 2, 3)), [0.75])
    assert_picture(out, "gmfss_union_drba", "drba_step2_0.75", 2e-3)


def corners_not_aligned(patch: pytest.MonkeyPatch) -> None:
    plain = functional.interpolate

    def wrong(*arguments: Any, **options: Any) -> Tensor:
        return plain(*arguments, **(options | {"align_corners": False}))

    patch.setattr(functional, "interpolate", wrong)


def border_repeated(module: Any) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(
        module, "backwarp", lambda x, flow, outside: backwarp(x, flow)
    )


def key_of_features(patch: pytest.MonkeyPatch) -> None:
    """The key of the coarse propagation made of the features, as one would expect."""
    plain, last = Layers.linear, {}

    def wrong(self: Layers, name: str, x: Tensor) -> Tensor:
        if name == "feature_flow_attn.q_proj":
            last["features"] = x
        return plain(self, name, last["features"] if name == "feature_flow_attn.k_proj" else x)

    patch.setattr(Layers, "linear", wrong)


def windows_never_shifted(patch: pytest.MonkeyPatch) -> None:
    plain = gmflow._rectangles
    patch.setattr(
        gmflow, "_rectangles", lambda h, w, k, *, is_shifted: plain(h, w, k, is_shifted=False)
    )


def pictures_of_0_to_255(patch: pytest.MonkeyPatch) -> None:
    features, plain = model("gmfss").gmflow.features, prepared

    def wrong(name: str, i: int) -> GmfssPrepared:
        return plain(name, i)._replace(matchable=features(255 * plain(name, i).half))

    patch.setitem(globals(), "prepared", wrong)


def a_tanh_too_many(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(model("gmfss").metric_net, "has_tanh", True)


def errors_positive(patch: pytest.MonkeyPatch) -> None:
    plain = metric.look

    def wrong(*arguments: Tensor) -> metric.Seen:
        seen = plain(*arguments)
        return metric.Seen((-seen.errors[0], -seen.errors[1]), seen.occluded)

    patch.setattr(metric, "look", wrong)


def hidden_pixels_exchanged(patch: pytest.MonkeyPatch) -> None:
    plain = metric.look

    def wrong(*arguments: Tensor) -> metric.Seen:
        seen = plain(*arguments)
        return metric.Seen(seen.errors, seen.occluded[::-1])

    patch.setattr(metric, "look", wrong)


def time_reversed(patch: pytest.MonkeyPatch) -> None:
    plain = model_module.sides
    patch.setattr(model_module, "sides", lambda pair, motion, ts: plain(pair, motion, ts[::-1]))


def metric_not_scaled_by_time(patch: pytest.MonkeyPatch) -> None:
    plain = model_module.sides

    def wrong(pair: Any, motion: Any, ts: Any) -> Any:
        first, second = plain(pair, motion, ts)
        return first._replace(metric=motion.metric_a), second._replace(metric=motion.metric_b)

    patch.setattr(model_module, "sides", wrong)


def averaged_not_weighted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(model_module, "splat", lambda x, flow, _mode, _metric: splat(x, flow, "avg"))


def small_flow_in_large_pixels(patch: pytest.MonkeyPatch) -> None:
    def wrong(x: Tensor, flow: Tensor, mode: Any, weight: Tensor) -> Tensor:
        return splat(x, flow * (64 / flow.shape[-2]), mode, weight)

    patch.setattr(model_module, "splat", wrong)


def holes_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ratios, "HOLE_BELOW", -1)


def ratios_uncrossed(patch: pytest.MonkeyPatch) -> None:
    plain = ratios._step
    patch.setattr(ratios, "_step", lambda u, near, far: plain(u, far, near))


def never_swapped(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ratios, "SWAP_ABOVE", 1e9)


def swapped_before_holes_are_filled(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(model_module, "reached", lambda a, b: (a[:, :1], b[:, :1]))


def motion_made_anew(patch: pytest.MonkeyPatch) -> None:
    """From the centre both ways, where the reference turns the previous triple's around."""
    fresh = reversed_link(model(UNION).link(prepared(UNION, 2), prepared(UNION, 1)))
    plain = link
    patch.setitem(
        globals(), "link", lambda name, a, b: fresh if (a, b) == (1, 2) else plain(name, a, b)
    )


def two_pictures_for_three(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ratios, "_step", lambda u, near, far: torch.full_like(near, u))


CASES = [
    (check_flow, corners_not_aligned),
    (check_flow, border_repeated(gmflow)),
    (check_flow, key_of_features),
    (check_flow, windows_never_shifted),
    (check_flow, pictures_of_0_to_255),
    (check_metric, border_repeated(metric)),
    (check_metric, a_tanh_too_many),
    (check_metric, errors_positive),
    (check_metric, hidden_pixels_exchanged),
    (check_picture, time_reversed),
    (check_picture, metric_not_scaled_by_time),
    (check_picture, averaged_not_weighted),
    (check_picture, small_flow_in_large_pixels),
    (check_steps, holes_left),
    (check_steps, ratios_uncrossed),
    (check_swap, never_swapped),
    (check_swap, swapped_before_holes_are_filled),
    (check_second_triple, motion_made_anew),
    (check_second_triple, two_pictures_for_three),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("check", "mistake"), CASES, ids=[f"{c.__name__}-{i}" for i, (c, _) in enumerate(CASES)]
)
def test_a_mistake_is_noticed(
    check: Callable[[], None],
    mistake: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check()
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        check()
