"""Whoever typed flags reads flags; whoever called Python, or wrote a run file, reads names."""

from __future__ import annotations

import pytest

from paddleprune.cli.spelling import with_flags

NAMES = ("save_dir", "num_epochs", "workers", "model", "estimate", "engine", "early_stop")


@pytest.mark.parametrize(
    ("message", "spelled"),
    [
        ("out already holds a model; choose another save_dir", "out already holds a model; choose another --save-dir"),
        ("give more num_epochs, or early_stop", "give more --num-epochs, or --early-stop"),
        ("use workers=1, or less data", "use --workers 1, or less data"),
        ('estimate="taylor" follows it; leave `engine` out', "--estimate taylor follows it; leave --engine out"),
        ("say `model`, the model's name", "say --model, the model's name"),
        ("the model and its workers", "the model and its workers"),
        ("go on with save_dir=out/a_b, or not.", "go on with --save-dir out/a_b, or not."),
        ("/data/save_dir/x and save_dir/x do not exist", "/data/save_dir/x and save_dir/x do not exist"),
        (
            "unknown setting 'save_dirs'; did you mean 'save_dir'?",
            "unknown setting 'save_dirs'; did you mean 'save_dir'?",
        ),
        ("my_save_dir, save_dir.json and `paddleprune models`", "my_save_dir, save_dir.json and `paddleprune models`"),
        ("learning_rate is no setting of this command", "learning_rate is no setting of this command"),
    ],
)
def test_settings_become_flags(message: str, spelled: str) -> None:
    assert with_flags(message, NAMES) == spelled
    assert with_flags(message, ()) == message
