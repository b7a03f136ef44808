"""The task of docs/vision.md passes the suite and does the whole job, by what that page says alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from pages import blocks

import paddleprune
from paddleprune.errors import DataError, PluginError
from paddleprune.registry import Registry

PLUGIN, PARTS, SUITES = blocks("docs/vision.md")
exec(compile(SUITES, "vision.md", "exec", dont_inherit=True))
SAID = {"task": "counting", "train_batch_size": 20, "num_epochs": 1, "learning_rate": 0.02}


def test_it_is_as_short_as_the_page_says() -> None:
    assert len([line for program in (PLUGIN, PARTS) for line in program.splitlines() if line]) < 110


def test_the_whole_job(tmp_path: Path) -> None:
    Registry.discover().demo("counting", tmp_path)
    for name in ("train_list.txt", "val_list.txt"):
        lines = (tmp_path / name).read_text().splitlines(keepends=True)
        (tmp_path / name).write_text("".join(lines[:40]))
    options = {"input_size": 32, "width": 4}
    data = {"train_dataset": tmp_path, "eval_dataset": tmp_path}
    dense = paddleprune.train(**SAID, **data, model="counter", options=options, save_dir=tmp_path / "dense")
    made = {"pretrain_weights": dense.best_model, "flops": 0.5, "save_dir": tmp_path / "pruned"}
    pruned = paddleprune.train(**SAID, **data, **made)
    assert set(pruned.metrics) == {"error"}
    (found,) = paddleprune.predict(pruned.best_model, tmp_path / "val_0000.png", save_dir=tmp_path / "drawn")
    assert isinstance(found["count"], float)
    assert (tmp_path / "drawn" / "val_0000.png").is_file()
    (tmp_path / "val_list.txt").write_text("val_0000.png many\n")
    with pytest.raises(DataError, match=r"val_list.txt:1: the count must be a whole number, got 'many'"):
        paddleprune.evaluate(pruned.best_model, eval_dataset=tmp_path)


def test_a_part_that_is_not_there_is_named() -> None:
    from dataclasses import replace

    from paddleprune_counting.plugin import plugin

    registry = Registry()
    registry.register(replace(plugin, metric="paddleprune_counting.parts:Missing"), "counting")
    config = registry.metric_config("counting", {})
    options = registry.options("counting", "counter", {})
    with pytest.raises(PluginError, match=r"build_metric of .*counting.* failed: AttributeError: .*'Missing'"):
        registry.build_metric("counting", config, ("digits",), options)
