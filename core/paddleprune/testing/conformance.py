"""Every check that a third party's family should pass, as a class for pytest to collect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import paddle
import pytest

from paddleprune.exports.inference_files import export_model
from paddleprune.graph import ChannelGraph, build_graph
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward, flatten
from paddleprune.pruning import Plan, make_plan, protect_hard_coded, prune
from paddleprune.registry import Registry
from paddleprune.runtimes.inference import create_predictor
from paddleprune.sensitivity import rank
from paddleprune.specs import FamilyOptions
from paddleprune.testing.coverage import coverage
from paddleprune.testing.exactness import check_exact, settle
from paddleprune.testing.mending import check_repair
from paddleprune.training import CheckpointInfo, load_model, save_checkpoint

_REPAIRED = 0.2
"""The share of each group that goes before a repair."""


class FamilyConformance:
    """What a family must do. Choose options that make it small: every group is pruned alone.

    Attributes:
        task: the family's task.
        family: its name in the registry.
        options: its options.
        expect_protected: groups that may keep filters, besides those that feed an output or that its plugin protects.
    """

    task: ClassVar[str]
    family: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    expect_protected: ClassVar[frozenset[str]] = frozenset()

    @pytest.fixture
    def registry(self) -> Registry:
        """Every installed plugin."""
        return Registry.discover()

    @pytest.fixture
    def chosen(self, registry: Registry) -> FamilyOptions:
        """The family's options, checked."""
        return registry.options(self.task, self.family, self.options)

    @pytest.fixture
    def probe(self, chosen: FamilyOptions) -> tuple[Array, ...]:
        """Two random inputs."""
        generator = np.random.default_rng(0)
        return tuple(generator.standard_normal((2, *shape)).astype(np.float32) for shape in chosen.input_shapes())

    @pytest.fixture
    def layer(self, registry: Registry, chosen: FamilyOptions) -> Any:
        """The network, fresh and settled."""
        paddle.seed(0)
        layer = registry.build_model(self.task, self.family, chosen)
        settle(layer, chosen.input_shapes())
        return layer

    @pytest.fixture
    def graph(self, registry: Registry, chosen: FamilyOptions, layer: Any) -> ChannelGraph:
        """The channel graph, with what the plugin protects."""
        graph = build_graph(layer, [(1, *shape) for shape in chosen.input_shapes()])
        return graph.protecting(registry.list_prunable(self.task, self.family, chosen, graph))

    def test_every_filter_can_be_removed(self, registry: Registry, chosen: FamilyOptions, graph: ChannelGraph) -> None:
        """All filters that feed no output, but those that the family protects or the test expects to stay."""
        found = coverage(graph)
        declared = registry.list_prunable(self.task, self.family, chosen, graph).keys() | self.expect_protected
        missed = {name: why for name, why in found.missed.items() if name not in declared}
        assert not missed, (
            "filters of these groups can't be removed, though they feed no output:"
            + _listed(missed)
            + "\nRewrite that part of the forward; or protect the group in paddleprune_list_prunable, or name it in "
            "expect_protected, with a reason"
        )
        assert found.prunable, "nothing can be removed:" + _listed({g.name: g.protected or "" for g in graph.groups})

    def test_no_width_is_hard_coded(self, layer: Any, graph: ChannelGraph) -> None:
        """The forward works at every width."""
        groups = zip(graph.groups, protect_hard_coded(layer, graph).groups, strict=True)
        broken = {before.name: after.protected or "" for before, after in groups if before.protected != after.protected}
        assert not broken, (
            "the forward runs at one width of these groups only:"
            + _listed(broken)
            + "\nTake sizes from the tensors' shapes, not from numbers"
        )

    def test_every_group_alone_is_exact(self, layer: Any, graph: ChannelGraph, probe: tuple[Array, ...]) -> None:
        """Half of each group alone: the masked network's outputs are the shrunk one's."""
        rankings = rank(layer, graph, "l1")
        for group in graph.prunable:
            gone = [group.units[i] for i in rankings[group.name][: max(1, group.count(0.5))]]
            with _of(f"half of group {group.name}"):
                check_exact(layer, graph, gone, probe)

    def test_all_groups_together_are_exact(self, layer: Any, graph: ChannelGraph, probe: tuple[Array, ...]) -> None:
        """Random shares of all groups at once."""
        generator = np.random.default_rng(1)
        gone: list[int] = []
        for group in graph.prunable:
            count = group.count(float(generator.uniform(0.1, 0.9)))
            gone.extend(group.removable(generator.permutation(group.units).tolist())[:count])
        with _of("random shares of all groups; each group alone passes or fails in another test"):
            check_exact(layer, graph, gone, probe, moves=True)

    def test_a_cut_network_can_be_repaired(self, layer: Any, graph: ChannelGraph, probe: tuple[Array, ...]) -> None:
        """After a random cut of all groups. (What a repair is worth only a trained network can show.)"""
        generator = np.random.default_rng(2)
        gone: list[int] = []
        for group in graph.prunable:
            gone.extend(group.removable(generator.permutation(group.units).tolist())[: group.count(_REPAIRED)])
        check_repair(layer, graph, gone, probe)

    def test_a_pruned_model_is_like_any_other(
        self, registry: Registry, layer: Any, graph: ChannelGraph, probe: tuple[Array, ...], tmp_path: Path
    ) -> None:
        """It takes a training step, and gives the same outputs after saving, reloading and exporting."""
        plan = _prune_half(layer, graph, probe)
        _training_step(layer, probe)
        expected = eager_forward(layer)(probe)

        info = CheckpointInfo(task=self.task, family=self.family, options=dict(self.options), primary_metric="none")
        save_checkpoint(tmp_path / "model", layer, info, plan)
        loaded = load_model(tmp_path / "model", registry)
        for a, b in zip(expected, eager_forward(loaded.layer)(probe), strict=True):
            np.testing.assert_array_equal(a, b)

        export_model(loaded.layer, [x.shape[1:] for x in probe], tmp_path / "exported")
        for a, b in zip(expected, _inference(tmp_path / "exported", probe), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-4 * max(float(np.abs(a).max()), 1e-12))


def _listed(reasons: Mapping[str, str]) -> str:
    return "".join(f"\n  {name}: {why}" for name, why in reasons.items())


@contextmanager
def _of(what: str) -> Iterator[None]:
    """Say of what a failed check speaks."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{what}: {error}") from error


def _prune_half(layer: Any, graph: ChannelGraph, probe: tuple[Array, ...]) -> Plan:
    ratios = {group.name: 0.5 for group in graph.prunable}
    return prune(layer, graph, make_plan(graph, ratios, rank(layer, graph, "l1"), criterion="l1"), probe)


def _training_step(layer: Any, probe: tuple[Array, ...]) -> None:
    """A small step on enough samples: the statistics of two would drive the outputs of a deep network away."""
    layer.train()
    optimizer = paddle.optimizer.Momentum(1e-5, parameters=layer.parameters())
    outputs = flatten(layer(*(paddle.randn([16, *x.shape[1:]]) for x in probe)))
    sum((y.square().mean() for y in outputs), paddle.zeros([])).backward()
    optimizer.step()
    optimizer.clear_grad()
    layer.eval()


def _inference(prefix: Path, inputs: tuple[Array, ...]) -> list[Array]:
    predictor = create_predictor(prefix)
    for name, array in zip(predictor.get_input_names(), inputs, strict=True):
        predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(array))
    predictor.run()
    return [predictor.get_output_handle(name).copy_to_cpu() for name in predictor.get_output_names()]
