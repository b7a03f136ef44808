"""The PaddleSlim engine alone: what it refuses and says, and that it leaves layers and the process as they were."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import engine_nets as nets
import numpy as np
import paddle
import pytest
from paddle import nn

import paddleprune
from paddleprune.engines import open_engine
from paddleprune.engines.slim import SlimEngine
from paddleprune.errors import CertificateError, ConfigError, GraphError, PlanError, UnknownNameError
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward

PROBE = (np.random.default_rng(0).standard_normal((2, *nets.SHAPE)).astype(np.float32),)


def state(layer: nn.Layer) -> dict[str, Array]:
    return {name: tensor.numpy() for name, tensor in layer.state_dict().items()}


def opened(net: nn.Layer) -> SlimEngine:
    engine = open_engine("paddleslim", net, nets.traced(net), "l1")
    assert isinstance(engine, SlimEngine)
    return engine


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (nets.concat, r"can't follow concat\): second"),
        (nets.split, r"can't follow split\): second"),
        (nets.softmax, None),
        (nets.grouped, r"the grouped convolution layer\): second"),
    ],
)
def test_what_it_cannot_prune_stays_whole_and_is_named(
    build: Callable[[], nn.Layer], why: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = opened(build())
    assert [group.name for group in engine.groups] == ["first"]
    said = capsys.readouterr().err
    if why is None:
        assert "second" in engine.refused
    else:
        assert re.search(why, " ".join(said.split()))
        assert 'engine="native", the default, can' in said
        with pytest.raises(PlanError, match=r'PaddleSlim can\'t prune \'second\': .*; engine="native", the default'):
            engine.plan({"second": 0.5})
    assert engine.prune(engine.plan({"first": 0.5}), PROBE).certificate is not None


def test_a_network_that_it_cannot_follow_is_an_error_and_leaves_no_trace() -> None:
    net = nets.shuffled()
    graph, before = nets.traced(net), state(net)  # the trace settles it
    with pytest.raises(GraphError, match=r"PaddleSlim can't follow this network \(.*\); engine=\"native\""):
        open_engine("paddleslim", net, graph, "l1")
    assert paddle.in_dynamic_mode()
    assert paddle.base.framework.get_flags("FLAGS_enable_pir_api")["FLAGS_enable_pir_api"]
    for name, array in before.items():
        np.testing.assert_array_equal(net.state_dict()[name].numpy(), array)


class AllConcat(nn.Layer):
    """A dense block: whatever it computes is concatenated."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2D(3, 4, 1), nn.Conv2D(7, 4, 1), nn.Conv2D(11, 2, 1)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        x = paddle.concat([x, self.first(x)], axis=1)
        return self.last(paddle.concat([x, self.second(x)], axis=1))


def test_a_network_of_which_it_can_prune_nothing_is_an_error() -> None:
    with pytest.raises(GraphError, match=r"can't prune any group .*concat\): first, second; engine=\"native\""):
        opened(AllConcat())


def test_a_softmax_over_channels_that_it_would_cut_wrongly_is_refused_by_the_certificate() -> None:
    net = nets.softmax()
    engine = opened(net)
    before = state(net)
    collection = next(c for c in engine._pruner.collections if c.master == "second.weight")
    plan = engine.plan({"first": 0.5})
    part = plan.groups["first"]
    wrong = plan.model_copy(update={"groups": {"second": part}})
    group = engine.groups[0].__class__("second", collection.master, collection.size)
    engine._by_name["second"] = group  # as if nothing had been tried beforehand
    with pytest.raises(CertificateError, match=r"differs by .* nothing was changed; engine=\"native\""):
        engine.prune(wrong, PROBE)
    after = state(net)
    assert after.keys() == before.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
    assert net.second._out_channels == 8


def test_removing_really_removes_and_restores() -> None:
    net = nets.plain()
    engine = opened(net)
    before, dense = state(net), eager_forward(net)(PROBE)[0]
    kept = np.isin(np.arange(8), engine.plan({"first": 0.5}).groups["first"].keep)
    with engine.removing({"first": 0.5}) as forward:
        removed = forward(PROBE)[0]
        assert net.first.weight.shape[0] == 4
    after = state(net)
    assert after.keys() == before.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)
    np.testing.assert_array_equal(eager_forward(net)(PROBE)[0], dense)
    weight = before["second.weight"] * kept[None, :, None, None]
    net.second.weight.set_value(weight.astype(np.float32))
    np.testing.assert_allclose(eager_forward(net)(PROBE)[0], removed, atol=1e-5)


def test_a_pruned_network_trains() -> None:
    net = nets.plain()
    graph = nets.traced(net)
    net.train()
    net.second.eval()  # a part that its owner has frozen
    net(paddle.to_tensor(PROBE[0])).sum().backward()
    engine = open_engine("paddleslim", net, graph, "l1")
    engine.prune(engine.plan({"first": 0.5, "second": 0.25}), PROBE)
    assert [part for part in net.sublayers(include_self=True) if not part.training] == [net.second]
    optimizer = paddle.optimizer.Momentum(0.1, parameters=net.parameters())
    before = net.first.weight.numpy()
    net(paddle.to_tensor(PROBE[0])).square().mean().backward()
    optimizer.step()
    assert before.shape[0] == 4
    assert np.abs(net.first.weight.numpy() - before).max() > 0


def test_tensor_functions_that_only_know_the_new_ir_are_routed_and_restored() -> None:
    plain = (paddle._C_ops.multiply, paddle._C_ops.sigmoid, paddle.static.Variable.__dict__.get("multiply"))
    engine = opened(nets.Between(lambda x: paddle.multiply(x, paddle.nn.functional.sigmoid(x))))
    assert [group.name for group in engine.groups] == ["first", "second"]
    assert plain == (
        paddle._C_ops.multiply,
        paddle._C_ops.sigmoid,
        paddle.static.Variable.__dict__.get("multiply"),
    )


def test_bad_names_and_ratios() -> None:
    engine = opened(nets.plain())
    with pytest.raises(UnknownNameError, match=r"no group 'frist'; did you mean 'first'"):
        engine.plan({"frist": 0.5})
    with pytest.raises(PlanError, match="may not be pruned: feeds an output"):
        engine.plan({"last": 0.5})
    with pytest.raises(PlanError, match="between 0 and 1, got 2"):
        engine.plan({"first": 2.0})
    other = opened(nets.Between(nn.functional.relu))
    plan = engine.plan({"first": 0.5})
    part = plan.groups["first"].model_copy(update={"units": 9})
    with pytest.raises(PlanError, match="keeps 4 of 9 units of 'first', but this network has 8"):
        other.prune(plan.model_copy(update={"groups": {"first": part}}), PROBE)
    with pytest.raises(ConfigError, match=r"unknown engine 'padleslim'; did you mean 'paddleslim'"):
        open_engine("padleslim", nets.plain(), nets.traced(nets.plain()), "l1")  # type: ignore[arg-type]


def test_it_is_silent(capfd: pytest.CaptureFixture[str]) -> None:
    engine = opened(nets.plain())
    engine.prune(engine.plan({"first": 0.5}), PROBE)
    said = capfd.readouterr()
    assert "paddleslim" not in (said.out + said.err).lower()
    assert "pruning" not in (said.out + said.err).lower()
    assert logging.getLogger("paddleslim.dygraph.prune.filter_pruner").level == logging.ERROR


@pytest.mark.parametrize("module", ["paddleslim", "six", "zmq", "pkg_resources", "requests"])
def test_what_is_not_installed_is_named_with_what_installs_it(module: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, paddle\n"
        f"sys.modules[{module!r}] = None\n"
        "from paddleprune.engines.paddleslim import load\n"
        "from paddleprune.errors import DependencyError\n"
        "try:\n    load()\nexcept DependencyError as error:\n    print(error)\n"
    )
    said = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    assert f"{module!r} is not installed" in said
    assert "pip install --no-deps paddleslim==2.6.0 && pip install 'paddleprune[paddleslim]'" in said


def test_budgets_go_along_one_ratio_for_all_groups() -> None:
    paddle.seed(0)
    layer = nn.Sequential(nn.Conv2D(3, 16, 3), nn.ReLU(), nn.Conv2D(16, 16, 3), nn.ReLU(), nn.Conv2D(16, 4, 1))
    graph = paddleprune.trace(layer, (1, 3, 16, 16))
    half = paddleprune.plan(graph, flops=0.5, engine="paddleslim").plan
    assert 0.4 < half.after.flops / half.before.flops <= 0.5
    assert half.engine == "paddleslim"
    with pytest.raises(PlanError, match="can't be had"):
        paddleprune.plan(graph, params=0.0001, engine="paddleslim")
    with pytest.raises(ConfigError, match="plans of the native engine, not of paddleslim; ask for flops"):
        paddleprune.plan(graph, latency=0.5, engine="paddleslim")
