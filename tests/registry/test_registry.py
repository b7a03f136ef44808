"""Calls go to the plugin that registered the name, and what comes back is checked."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pydantic import Field

from paddleprune.errors import ConfigError, DataError, DependencyError, PluginError, UnknownNameError
from paddleprune.hookspecs import hookimpl
from paddleprune.interfaces import Dataset, Metric
from paddleprune.registry import Registry
from paddleprune.specs import Contract, DatasetConfig, FamilyInfo, ImageOptions, TaskInfo


class ScaledOptions(ImageOptions):
    """Options with a scale."""

    scale: float = Field(1.0, gt=0)


class Sorting:
    """A task plugin with a family; `answers` says what its hooks return (an exception is raised)."""

    def __init__(self, task: str = "sorting", family: str = "tiny", **answers: object) -> None:
        self.task, self.family, self.answers = task, family, answers

    def answer(self, hook: str) -> object:
        """What the test wants the hook to do."""
        answer = self.answers.get(hook)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @hookimpl
    def paddleprune_register_tasks(self):
        return [TaskInfo(name=self.task, description="which bin", dataset=DatasetConfig)]

    @hookimpl
    def paddleprune_register_families(self):
        return [FamilyInfo(task=self.task, name=self.family, description="one layer", options=ScaledOptions)]

    @hookimpl
    def paddleprune_build_model(self):
        return self.answer("model")

    @hookimpl
    def paddleprune_list_prunable(self):
        return self.answer("prunable")

    @hookimpl
    def paddleprune_published_weights(self):
        return self.answer("weights")

    @hookimpl
    def paddleprune_build_dataset(self):
        return self.answer("dataset")

    @hookimpl
    def paddleprune_build_loss(self):
        return self.answer("loss")

    @hookimpl
    def paddleprune_build_metric(self):
        return self.answer("metric")

    @hookimpl
    def paddleprune_build_distillation(self):
        return self.answer("distillation")

    @hookimpl
    def paddleprune_build_predictor(self):
        return self.answer("predictor")

    @hookimpl
    def paddleprune_paddlex(self):
        return self.answer("paddlex")

    @hookimpl
    def paddleprune_boxes(self):
        return self.answer("boxes")

    @hookimpl
    def paddleprune_demo(self):
        return self.answer("demo")

    @hookimpl
    def paddleprune_sample_data(self):
        return self.answer("sample_data")


GRAPH = SimpleNamespace(groups=(SimpleNamespace(name="features.0"), SimpleNamespace(name="features.3")))
CALLS = {
    "model": lambda r: r.build_model("sorting", "tiny", ImageOptions()),
    "prunable": lambda r: r.list_prunable("sorting", "tiny", ImageOptions(), GRAPH),
    "weights": lambda r: r.published_weights("sorting", "tiny", ImageOptions()),
    "dataset": lambda r: r.build_dataset("sorting", DatasetConfig(), "eval", ImageOptions()),
    "loss": lambda r: r.build_loss("sorting", Contract(), ImageOptions()),
    "metric": lambda r: r.build_metric("sorting", Contract(), ["a", "b"], ImageOptions()),
    "predictor": lambda r: r.build_predictor("sorting", ImageOptions(), ["a"], []),
    "paddlex": lambda r: r.paddlex("sorting", "tiny", ImageOptions(), ["a"], [], None, None),
    "boxes": lambda r: r.boxes("sorting", "tiny", ImageOptions(), None),
    "demo": lambda r: r.demo("sorting", None),
    "sample_data": lambda r: r.sample_data("sorting", None),
}


def registry_of(*plugins: object) -> Registry:
    """A registry of plugins that aren't installed, named p0, p1, …"""
    registry = Registry()
    for number, plugin in enumerate(plugins):
        registry.register(plugin, f"p{number}")
    return registry


@pytest.mark.parametrize("hook", CALLS)
@pytest.mark.parametrize("answer", [None, 42])
def test_a_wrong_result_names_plugin_and_hook_and_what_came(hook, answer):
    with pytest.raises(PluginError, match=rf"{hook}.* of .*'p0'.* must return .*returned {answer}"):
        CALLS[hook](registry_of(Sorting(**{hook: answer})))


def test_a_task_needn_t_say_what_a_teacher_s_outputs_teach():
    assert registry_of(Sorting(distillation=None)).build_distillation("sorting", ImageOptions()) is None
    with pytest.raises(PluginError, match=r"build_distillation.* of .*'p0'.* must return a callable .*returned 42"):
        registry_of(Sorting(distillation=42)).build_distillation("sorting", ImageOptions())


@pytest.mark.parametrize("hook", CALLS)
def test_what_a_hook_raises_is_named_and_chained(hook):
    cause = ValueError("\n\n  no such thing\nand more")
    with pytest.raises(PluginError, match=rf"{hook}.* of .*'p0'\) failed: ValueError: no such thing$") as caught:
        CALLS[hook](registry_of(Sorting(**{hook: cause})))
    assert caught.value.__cause__ is cause


@pytest.mark.parametrize("hook", CALLS)
def test_errors_for_the_user_pass_unchanged(hook):
    with pytest.raises(DataError, match=r"^list\.txt line 3$"):
        CALLS[hook](registry_of(Sorting(**{hook: DataError("list.txt line 3")})))


def test_a_package_that_a_hook_lacks_is_named_with_its_way_out():
    cause = ModuleNotFoundError("No module named 'sklearn'", name="sklearn.datasets")
    with pytest.raises(DependencyError, match=r"needs the module 'sklearn'.*paddleprune\[demo\]"):
        CALLS["demo"](registry_of(Sorting(demo=cause)))


def test_the_owner_alone_answers():
    loss, other = (lambda outputs, targets: 1), (lambda outputs, targets: 2)
    registry = registry_of(Sorting("packing", loss=other), Sorting(loss=loss), Sorting("stacking", loss=other))
    assert CALLS["loss"](registry) is loss
    assert registry.build_loss("packing", Contract(), ImageOptions()) is other


def test_a_plugin_wraps_the_hooks_of_another():
    class Wrapper:
        @hookimpl(wrapper=True)
        def paddleprune_build_loss(self, task):
            inner = yield
            return lambda outputs, targets: (task, inner(outputs, targets))

    registry = registry_of(Wrapper(), Sorting(loss=lambda outputs, targets: 7))
    assert CALLS["loss"](registry)((), None) == ("sorting", 7)


def test_a_wrapper_that_spoils_the_result_is_named():
    class Wrapper:
        @hookimpl(wrapper=True)
        def paddleprune_build_loss(self):
            yield

    with pytest.raises(PluginError, match=r"'p1'.*wrapped by .*'p0'.* must return a callable"):
        CALLS["loss"](registry_of(Wrapper(), Sorting(loss=len)))


def test_missing_hooks():
    class TaskOnly:
        @hookimpl
        def paddleprune_register_tasks(self):
            return [TaskInfo(name="sorting", description="which bin", dataset=DatasetConfig)]

        @hookimpl
        def paddleprune_register_families(self):
            return [FamilyInfo(task="sorting", name="tiny", description="one layer")]

    registry = registry_of(TaskOnly(), Sorting("packing", loss=len))
    assert CALLS["prunable"](registry) == {}
    with pytest.raises(UnknownNameError, match="'sorting' has no demo"):
        CALLS["demo"](registry)
    with pytest.raises(UnknownNameError, match="'sorting' has no export for PaddleX"):
        CALLS["paddlex"](registry)
    for hook in ("model", "dataset", "loss", "metric", "predictor"):
        with pytest.raises(PluginError, match=rf"'p0'\) lacks the hook paddleprune_build_{hook}"):
            CALLS[hook](registry)


def test_prunable_groups_must_exist():
    assert CALLS["prunable"](registry_of(Sorting(prunable={"features.3": "why"}))) == {"features.3": "why"}
    with pytest.raises(PluginError, match=r"group 'feature\.3'.*did you mean 'features\.3'\?"):
        CALLS["prunable"](registry_of(Sorting(prunable={"feature.3": "why"})))


def test_a_metric_of_paddles_kind_is_adapted():
    from paddle.metric import Metric as PaddleMetric

    class MeanError(PaddleMetric):
        primary = "mean_error"
        higher_is_better = False

        def reset(self):
            self.errors = []

        def update(self, outputs, targets):
            self.errors.append(abs(outputs[0] - targets).mean())

        def accumulate(self):
            return np.mean(self.errors)

        def name(self):
            return "mean_error"

    metric = CALLS["metric"](registry_of(Sorting(metric=MeanError())))
    assert isinstance(metric, Metric)
    metric.reset()
    metric.update((np.array([1.0, 3.0]),), np.array([0.0, 0.0]))
    assert (metric.name(), metric.accumulate(), metric.higher_is_better) == (["mean_error"], [2.0], False)
    MeanError.primary = "meen_error"
    with pytest.raises(PluginError, match=r"primary 'meen_error'.*did you mean 'mean_error'"):
        CALLS["metric"](registry_of(Sorting(metric=MeanError())))


def test_a_dataset_needs_labels():
    class Unlabelled(Dataset):
        def __len__(self):
            return 0

        def __getitem__(self, index): ...

    with pytest.raises(PluginError, match="Unlabelled without `labels`"):
        CALLS["dataset"](registry_of(Sorting(dataset=Unlabelled())))


def test_options_are_checked():
    registry = registry_of(Sorting())
    assert registry.options("sorting", "tiny", {"scale": 0.5, "input_size": 64}).input_shapes() == ((3, 64, 64),)
    with pytest.raises(ConfigError, match=r"^unknown option 'scal' of tiny; did you mean 'scale'\?"):
        registry.options("sorting", "tiny", {"scal": 0.5})
    with pytest.raises(ConfigError, match=r"^bad option of tiny: scale must be above 0, not -1$"):
        registry.options("sorting", "tiny", {"scale": -1})
    with pytest.raises(ConfigError, match=r"^unknown field 'transform' of the sorting dataset; did you mean"):
        registry.dataset_config("sorting", {"transform": []})


@pytest.mark.parametrize("refused", ["twice", "no list", "failing"])
def test_a_refused_plugin_leaves_nothing_behind(refused):
    class Refused:
        @hookimpl
        def paddleprune_register_tasks(self):
            info = TaskInfo(name="packing", description="what fits", dataset=DatasetConfig)
            if refused == "failing":
                raise ValueError("no")
            return [info, info] if refused == "twice" else info

        @hookimpl(wrapper=True)
        def paddleprune_build_loss(self):
            yield

    registry = registry_of(Sorting(loss=len))
    with pytest.raises(PluginError, match="bad"):
        registry.register(Refused(), "bad")
    assert list(registry.tasks()) == ["sorting"]
    assert CALLS["loss"](registry) is len


def test_the_same_plugin_twice_is_refused():
    plugin = Sorting()
    registry = registry_of(plugin)
    with pytest.raises(PluginError, match=r"is the plugin .*'p0'.* again"):
        registry.register(plugin, "again")
