"""Table -> ratios -> plan -> shrunk layer, against the original's rules and numbers by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle import nn

from paddleprune.engines import NativeEngine
from paddleprune.errors import CertificateError, PlanError, UnknownNameError
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.measure.evaluation import eager_forward
from paddleprune.pruning import Plan, make_plan, prune, resize
from paddleprune.pruning.outcome import JointLoss
from paddleprune.sensitivity import Identity, Point, SensitivityTable, rank
from paddleprune.solver import solve

PROBE = np.random.default_rng(0).standard_normal((2, 3, 8, 8)).astype(np.float32)


def network() -> tuple[nn.Layer, ChannelGraph]:
    paddle.seed(0)
    net = nn.Sequential(
        nn.Conv2D(3, 10, 3, padding=1),
        nn.ReLU(),
        nn.Conv2D(10, 10, 3, padding=1, groups=10),
        nn.Conv2D(10, 6, 1),
        nn.Sigmoid(),
        nn.Conv2D(6, 2, 1),
    )
    net.eval()
    return net, build_graph(net, [(1, 3, 8, 8)])


def table(**losses: list[float]) -> SensitivityTable:
    identity = Identity(model="m", data="d", samples=1, metric="acc", higher_is_better=True, criterion="l1")
    groups = {
        name.lstrip("g"): tuple(
            Point(ratio=round(0.1 * (i + 1), 1), metric=1 - loss, loss=loss) for i, loss in enumerate(values)
        )
        for name, values in losses.items()
    }
    return SensitivityTable(identity=identity, baseline=1.0, groups=groups)


def test_the_ratio_is_interpolated_beyond_the_largest_within_the_tolerance() -> None:
    found = table(g0=[0.0, 0.02, 0.06, 0.2], g3=[0.01, 0.02, 0.03, 0.04]).ratios_for(0.05)
    assert found == {"0": pytest.approx(0.2 + 0.1 * 0.03 / 0.04), "3": 0.4}


def test_a_dip_counts_as_the_original_counted_it() -> None:
    assert table(g0=[0.0, 0.3, 0.04, 0.14]).ratios_for(0.05)["0"] == pytest.approx(0.3 + 0.1 * 0.01 / 0.1)


def test_a_group_too_sensitive_for_the_smallest_ratio_stays_whole() -> None:
    assert table(g0=[0.1, 0.2]).ratios_for(0.05) == {}


def test_negative_losses_are_within_any_tolerance() -> None:
    assert table(g0=[-0.1, -0.2]).ratios_for(0.0) == {"0": 0.2}


def test_the_expected_loss_is_interpolated() -> None:
    assert table(g0=[0.1, 0.3]).loss_at("0", 0.05) == pytest.approx(0.05)
    assert table(g0=[0.1, 0.3]).loss_at("0", 0.15) == pytest.approx(0.2)


def test_a_plan_keeps_the_best_and_at_least_one() -> None:
    net, graph = network()
    rankings = rank(net, graph, "l1")
    plan = make_plan(graph, {"0": 0.3, "3": 0.99}, rankings, criterion="l1")
    assert set(rankings["0"][:3]).isdisjoint(plan.groups["0"].keep)
    assert len(plan.groups["0"].keep) == 7
    assert set(plan.groups["3"].keep) == set(range(6)) - set(rankings["3"])
    assert (len(plan.groups["3"].keep), plan.groups["3"].most) == (1, 5)


def test_a_plan_predicts_what_shrinking_gives(tmp_path: Path) -> None:
    net, graph = network()
    plan = solve(NativeEngine(net, graph, "l1"), table(g0=[0.0, 0.01, 0.2], g3=[0.0, 0.0, 0.0]), 0.05)
    done = prune(net, graph, plan, (PROBE,))
    assert done.certificate is not None
    assert done.certificate.passed
    assert done.attributes == {"2": {"_groups": 8}}
    assert sum(int(np.prod(p.shape)) for p in net.parameters()) == done.after.parameters
    assert build_graph(net, [(1, 3, 8, 8)]).cost().flops == done.after.flops
    done.save(tmp_path / "plan.json")
    assert Plan.load(tmp_path / "plan.json") == done


def test_resizing_a_fresh_network_takes_a_pruned_one_s_weights() -> None:
    net, graph = network()
    done = prune(net, graph, make_plan(graph, {"0": 0.5}, rank(net, graph, "l1"), criterion="l1"), (PROBE,))
    state = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    fresh, _ = network()
    resize(fresh, {name: array.shape for name, array in state.items()}, done.attributes)
    fresh.set_state_dict({name: paddle.to_tensor(array) for name, array in state.items()})
    np.testing.assert_array_equal(eager_forward(fresh)((PROBE,))[0], eager_forward(net)((PROBE,))[0])


def test_a_plan_of_another_network_is_refused() -> None:
    net, graph = network()
    plan = make_plan(graph, {"0": 0.5}, rank(net, graph, "l1"), criterion="l1")
    narrow = nn.Sequential(nn.Conv2D(3, 4, 3), nn.ReLU(), nn.Conv2D(4, 2, 1))
    with pytest.raises(PlanError, match="keeps 5 of 10 units of '0', but this network has 4"):
        prune(narrow, build_graph(narrow, [(1, 3, 8, 8)]), plan, (PROBE,))
    with pytest.raises(UnknownNameError, match="no group 'zero'"):
        make_plan(graph, {"zero": 0.5}, {}, criterion="l1")
    with pytest.raises(PlanError, match="may not be pruned: feeds an output"):
        make_plan(graph, {"5": 0.5}, {"5": [0, 1]}, criterion="l1")


class Depends(nn.Layer):
    """Does something else when it is narrow, which no graph can see."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2D(3, 8, 1), nn.Conv2D(8, 2, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = self.a(x)
        return self.b(x if x.shape[1] == 8 else x * 2)


def test_a_cut_that_is_not_exact_is_undone() -> None:
    net = Depends()
    net.eval()
    graph = build_graph(net, [(1, 3, 8, 8)])
    before = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    plan = make_plan(graph, {"a": 0.5}, rank(net, graph, "l1"), criterion="l1")
    with pytest.raises(CertificateError, match="outputs differ"):
        prune(net, graph, plan, (PROBE,))
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), before[name])
    assert net.a._out_channels == 8


def test_a_joint_loss_says_when_its_samples_are_few() -> None:
    joint = JointLoss(asked=0.02, cut=0.5, repaired=0.0, error=0.0, samples=60, tried=8)
    assert joint.describe().endswith("; these samples are few for it, one is 1.7% of them: give more evaluation data")
    assert joint.model_copy(update={"samples": 100}).describe().endswith("of 8 plans had not seen)")
