"""Single layers: what of a call is noted, that it can be built again at other widths, and times that are kept."""

from __future__ import annotations

import json

import paddle
import pytest
from paddle import nn

from paddleprune.measure.layer_times import LayerSpec, noting_calls, time_layer
from paddleprune.measure.time_cache import TimeCache
from paddleprune.runtimes.modes import MODES

ONEDNN = MODES["onednn_on"]
LAYERS = [
    (nn.Conv2D(6, 8, (3, 1), stride=2, padding=(1, 0), dilation=2), [2, 6, 9, 8], (6, 8)),
    (nn.Conv2D(6, 8, 3, padding="SAME", data_format="NHWC", bias_attr=False), [2, 9, 8, 6], (6, 8)),
    (nn.Conv2D(6, 12, 3, groups=3), [2, 6, 9, 8], (6, 12)),
    (nn.Conv2D(6, 6, 3, groups=6), [2, 6, 9, 8], (6, 6)),
    (nn.Conv1D(4, 6, 3, padding=1), [2, 4, 9], (4, 6)),
    (nn.Conv3D(4, 6, 3), [2, 4, 5, 6, 7], (4, 6)),
    (nn.Conv2DTranspose(6, 4, 2, stride=2), [2, 6, 5, 5], (6, 4)),
    (nn.Conv2DTranspose(6, 4, 3, groups=2), [2, 6, 5, 5], (6, 4)),
    (nn.Linear(6, 4), [2, 5, 6], (6, 4)),
]


@pytest.mark.parametrize(("layer", "shape", "widths"), LAYERS)
def test_a_call_can_be_built_again_at_any_widths(layer, shape, widths):
    with noting_calls(nn.Sequential(layer)) as calls:
        layer(paddle.zeros(shape))
    ((name, spec),) = calls
    assert name == "0"
    assert spec.widths(tuple(layer.weight.shape)) == widths
    again, places = spec.build(*widths)
    assert again.weight.shape == layer.weight.shape
    assert (again.bias is None) == (layer.bias is None)
    again(paddle.zeros([1, *places]))
    other, places = spec.build(12, 12)
    other(paddle.zeros([1, *places]))
    assert spec.widths(tuple(other.weight.shape)) == (12, 12)
    assert LayerSpec.model_validate_json(spec.model_dump_json()) == spec


def test_hooks_are_gone_afterwards():
    layer = nn.Linear(3, 2)
    with noting_calls(layer) as calls:
        layer(paddle.zeros([1, 3]))
    layer(paddle.zeros([1, 3]))
    assert [name for name, _ in calls] == [""]


def test_a_wider_layer_takes_longer():
    spec = LayerSpec.of(nn.Conv2D(16, 16, 3, padding=1), (1, 16, 48, 48))
    narrow, wide = (time_layer(spec, width, width, runtime=ONEDNN, threads=1) for width in (16, 128))
    assert 0 < narrow < wide


def test_times_are_kept_and_a_damaged_file_is_passed_over(tmp_path, capsys):
    cache = TimeCache(ONEDNN, 1, tmp_path)
    assert cache.get("a", lambda: 1.5) == 1.5
    cache.save()
    again = TimeCache(ONEDNN, 1, tmp_path)
    assert "a" in again
    assert again.get("a", lambda: 9.0) == 1.5
    assert "a" not in TimeCache(ONEDNN, 2, tmp_path)
    assert "a" not in TimeCache(MODES["onednn_off"], 1, tmp_path)
    other = TimeCache(ONEDNN, 1, tmp_path)  # two at once: neither loses what the other kept
    other.get("b", lambda: 2.5)
    other.save()
    again.get("c", lambda: 3.5)
    again.save()
    assert {name for name in "abc" if name in TimeCache(ONEDNN, 1, tmp_path)} == set("abc")
    content = json.loads(cache.file.read_text())
    content["times"]["a"] = 0.1
    cache.file.write_text(json.dumps(content))
    capsys.readouterr()
    assert "a" not in TimeCache(ONEDNN, 1, tmp_path)
    assert "times of layers are measured anew" in capsys.readouterr().err


def test_a_place_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    cache = TimeCache(ONEDNN, 1, tmp_path / "file")
    cache.get("a", lambda: 1.5)
    cache.save()
    assert "times of layers aren't kept" in capsys.readouterr().err
