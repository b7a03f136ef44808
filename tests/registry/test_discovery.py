"""Plugins of installed distributions: the good ones work whatever the others do."""

from __future__ import annotations

import subprocess
import sys

import pytest

from paddleprune.errors import PluginError, UnknownNameError
from paddleprune.registry import Registry
from paddleprune.registry.catalog import PluginRecord


def record(registry: Registry, name: str) -> PluginRecord:
    """The record of the plugin with that name."""
    return next(plugin for plugin in registry.plugins() if plugin.name == name)


def test_a_good_plugin_is_found_with_its_package(install, task_source):
    install("acme-task", task_source, version="2.3")
    registry = Registry.discover()
    expected = {"name": "acme-task", "distribution": "acme-task", "version": "2.3", "tasks": ("sorting",)}
    assert record(registry, "acme-task") == PluginRecord(**expected)
    assert registry.task("sorting").description == "which bin"
    assert "sorting" in registry.tasks()


def test_a_stranger_adds_a_family_to_a_task_of_another_package(install, task_source, family_source):
    install("zz-task", task_source)
    install("acme-family", family_source)
    registry = Registry.discover()
    assert list(registry.families("sorting")) == ["tiny"]
    assert record(registry, "acme-family").families == ("sorting/tiny",)
    assert record(registry, "acme-family").error is None
    options = registry.options("sorting", "tiny", {"num_classes": 3})
    assert registry.build_model("sorting", "tiny", options).weight.shape == [3, 2]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "cannot import acme_broken: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def f(:", "cannot import acme_broken: SyntaxError"),
        ("raise SystemExit(3)", "cannot import acme_broken: SystemExit: 3"),
        ("1 / 0", "cannot import acme_broken: ZeroDivisionError"),
    ],
)
def test_a_plugin_that_fails_to_import_is_listed_and_breaks_nothing(install, task_source, source, said):
    install("acme-broken", source)
    install("good-task", task_source)
    registry = Registry.discover()
    assert said in record(registry, "acme-broken").error
    assert "sorting" in registry.tasks()


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        ("paddleprune_build_modl(options)", "'paddleprune_build_modl', which is no hook; did you mean"),
        ("paddleprune_build_model(optoins)", "can't be called"),
    ],
)
def test_a_misspelled_hook_is_an_error_that_names_plugin_and_hook(install, task_source, hook, said):
    install("acme-typo", f"from paddleprune.hookspecs import hookimpl\n@hookimpl\ndef {hook}: ...")
    install("good-task", task_source)
    registry = Registry.discover()
    error = record(registry, "acme-typo").error
    assert "acme-typo" in error
    assert "paddleprune_build_mod" in error
    assert said in error
    assert "\n" not in error
    assert "sorting" in registry.tasks()


def test_a_hook_that_nobody_marked_is_an_error(install):
    install("acme-unmarked", "def paddleprune_demo(directory): ...")
    assert "'paddleprune_demo' without @hookimpl" in record(Registry.discover(), "acme-unmarked").error


def test_an_entry_point_that_names_the_module_of_an_object_is_an_error(install, task_source):
    install("acme-object", "from types import SimpleNamespace\nplugin = SimpleNamespace()")
    install("good-task", task_source)
    registry = Registry.discover()
    assert "has no hooks; its entry point must name what has them" in record(registry, "acme-object").error
    assert record(registry, "good-task").error is None


@pytest.mark.parametrize("kind", ["task", "family"])
def test_a_name_that_two_packages_register_is_never_chosen_silently(install, task_source, family_source, kind):
    install("first-task", task_source)
    install("acme-family", family_source)
    if kind == "task":
        install("second-task", task_source)
        both = ("first-task", "second-task")
    else:
        install("other-family", family_source)
        both = ("acme-family", "other-family")
    registry = Registry.discover()
    with pytest.raises(PluginError, match="uninstall one of them") as caught:
        registry.family("sorting", "tiny")
    for name in both:
        assert f"{name} 1.0" in str(caught.value)
        assert str(caught.value) in record(registry, name).error
    assert not registry.tasks().get("sorting") if kind == "task" else not registry.families("sorting")


def test_the_other_tasks_stay_usable_beside_a_clash(install, task_source):
    install("first-task", task_source)
    install("second-task", task_source)
    install("third-task", task_source.replace("sorting", "packing"))
    assert Registry.discover().task("packing").name == "packing"


def test_a_family_of_a_task_that_nobody_registers_is_its_plugins_problem(install, task_source, family_source):
    install("acme-family", family_source.replace("sorting", "sortin"))
    install("acme-task", task_source)
    registry = Registry.discover()
    assert "'tiny' to the task 'sortin', which no plugin registers; did you mean 'sorting'?" in (
        record(registry, "acme-family").error
    )
    with pytest.raises(UnknownNameError):
        registry.families("sortin")


def test_unknown_names_get_the_near_one_and_the_plugins_that_failed(install, task_source, family_source):
    install("acme-broken", "1 / 0")
    install("acme-task", task_source)
    install("acme-family", family_source)
    registry = Registry.discover()
    with pytest.raises(UnknownNameError, match=r"'sortign'; did you mean 'sorting'\?.*not loaded: 'acme-broken'"):
        registry.task("sortign")
    with pytest.raises(UnknownNameError, match=r"no family 'tinyy'; did you mean 'tiny'\? \(choose from tiny\)"):
        registry.family("sorting", "tinyy")


def test_listing_is_cheap():
    code = """
import sys, paddleprune, paddleprune.cli
from paddleprune.registry import Registry
registry = Registry.discover()
for task in registry.tasks(): registry.families(task)
print([m for m in ("paddle", "cv2", "paddleslim", "sklearn", "matplotlib", "visualdl") if m in sys.modules])
"""
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "[]"
