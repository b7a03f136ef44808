"""Whatever pydantic complains of, the person who wrote the value reads no word of pydantic's."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import InitErrorDetails
from pydantic_core._pydantic_core import list_all_errors

import paddleprune
import paddleprune_classification
import paddleprune_detection
import paddleprune_segmentation
from paddleprune.api.runs import AnalyzeRun, TrainRun
from paddleprune.errors import ConfigError, PaddlePruneError
from paddleprune.problems import first_problem
from paddleprune.specs import Contract
from paddleprune.validation import validated
from paddleprune_classification.config import ClassificationData

PYDANTIC = re.compile(
    r"Input|[Vv]alue error|Assertion failed|[Ff]ield required|not permitted|valid|[Uu]nable|parse|pydantic"
    r"|PosixPath|union|\btag\b|dict\b|instance of|interpret|should|greater than|less than|literal"
)
BAD: tuple[Any, ...] = (
    *(None, -1, 0, 1.5, float("nan"), float("inf"), 10**400, True, "x", "", b"x", [], [1], [1, 2, 3], ["x"], [[1]]),
    *({}, {"a": 1}, {1: 2}, [{}], [{"name": "Nope"}], [{"name": "Resize", "nope": 1}], [5], object(), int, "9" * 5000),
    *([{"name": "Resize", "target_size": "x"}], [{"name": "Normalize", "std": [0]}], "10min", "gpu:x", [-1], (0, 0)),
)


def modules() -> Iterator[ModuleType]:
    for package in (paddleprune, paddleprune_classification, paddleprune_detection, paddleprune_segmentation):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "__main__" not in found.name and ".testing" not in found.name:
                yield importlib.import_module(found.name)


def models(kind: type[BaseModel] = Contract) -> Iterator[type[BaseModel]]:
    for model in kind.__subclasses__():
        if model.__module__.startswith("paddleprune"):
            yield model
            yield from models(model)


@pytest.mark.parametrize("kind", [error["type"] for error in list_all_errors()])
def test_every_type_of_error_has_words(kind: str) -> None:
    """Those that no model raises today, too."""
    example = next(error for error in list_all_errors() if error["type"] == kind)
    context = dict(example.get("example_context") or {})
    if kind in ("value_error", "assertion_error"):
        context["error"] = ValueError("must be even")
    details = InitErrorDetails(type=kind, loc=("size",), input=3, ctx=context)
    said = first_problem(ValidationError.from_exception_data("x", [details]))
    assert said.startswith("size ")
    assert not PYDANTIC.search(said)


def test_no_bad_value_of_any_field_shows_a_word_of_pydantic() -> None:
    """Every field of every model, given everything that it may not be; the words are those meant for it."""
    list(modules())
    found, said = set(models()), []
    for model in found:
        for name, value in itertools.product(model.model_fields, BAD):
            said += [(model, name, line) for line in refusals(model, name, value)]
    assert len(found) > 60
    assert len(said) > 3000
    for model, name, line in said:
        assert not PYDANTIC.search(line), f"{model.__name__}.{name}: {line}"
        assert "can't be used" not in line, f"{model.__name__}.{name}: {line}"
        assert len(line) < 500, f"{model.__name__}.{name}: {line}"
        assert "\n" not in line


def refusals(model: type[BaseModel], name: str, value: Any) -> Iterator[str]:
    """What is said of a value of one field, the others being missing."""
    try:
        model.model_validate({name: value})
    except ValidationError as error:
        mine = [detail for detail in error.errors() if detail["loc"][:1] == (name,)]
        lines = [InitErrorDetails(type=d["type"], loc=d["loc"], input=d["input"], ctx=d.get("ctx", {})) for d in mine]
        custom = {"path_type", "byte_size", "byte_size_unit"}
        if mine and not {d["type"] for d in mine} & custom:
            yield first_problem(ValidationError.from_exception_data("x", lines))
        elif mine and error.errors()[0] == mine[0]:
            yield first_problem(error)
    except PaddlePruneError:
        pass


@pytest.mark.parametrize(
    ("model", "values", "line"),
    [
        (
            AnalyzeRun,
            {"time_budget": "10min"},
            "`time_budget` must be a time such as 90s, 10m or 2h: write 10m, not '10min'",
        ),
        (AnalyzeRun, {"time_budget": "1.2.3m"}, "`time_budget` must be a time such as 90s, 10m or 2h, not '1.2.3m'"),
        (AnalyzeRun, {"memory": "5 gigs"}, "`memory` must be a size, such as 500MB or 2GB, not '5 gigs'"),
        (AnalyzeRun, {"engine": "slim"}, "`engine` must be 'native' or 'paddleslim', not 'slim'"),
        (
            AnalyzeRun,
            {"criterion": "l3"},
            "`criterion` must be l1, l2, fpgm, bn_scale, lamp, taylor, obd or package.module:function, not 'l3'",
        ),
        (TrainRun, {"eval_dataset": 5}, "`eval_dataset` must be a path, or hold names and their values, not 5"),
        (TrainRun, {"lr_decay_epochs": ["a"]}, "`lr_decay_epochs`, entry 1 must be a whole number, not 'a'"),
        (TrainRun, {"lr_decay_epochs": [6, 4]}, "`lr_decay_epochs` must be positive and ascending, such as 30, 60, 90"),
        (TrainRun, {"device": "tpu"}, "`device` must be auto, cpu, gpu or gpu:N, not 'tpu'"),
        (TrainRun, {"num_epochs": 0}, "`num_epochs` must be at least 1, not 0"),
        (
            ClassificationData,
            {"data_dir": "x", "transforms": [{"name": "Resize", "target_size": [0, 1]}]},
            "`transforms`, entry 1 (Resize), target_size, entry 1 must be at least 1, not 0",
        ),
        (
            ClassificationData,
            {"data_dir": "x", "transforms": [{"name": "Resize", "size": 1}]},
            "`transforms`, entry 1 (Resize), size is not known here; is it misspelled, or in the wrong place?",
        ),
        (ClassificationData, {}, "`data_dir` is missing"),
    ],
)
def test_the_line_names_the_place_and_the_way_out(model: type[Contract], values: dict[str, Any], line: str) -> None:
    with pytest.raises(ConfigError) as error:
        validated(model, values, "this", "setting")
    assert str(error.value) == f"bad setting of this: {line}"


def test_a_path_s_home_folder_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert TrainRun(data="~/shapes").data == Path("/home/ann/shapes")
    assert ClassificationData(data_dir="~").data_dir == Path("/home/ann")
    assert TypeAdapter(ClassificationData).validate_python({"data_dir": "a~"}).data_dir == Path("a~")
    with pytest.raises(ConfigError, match="home folder that this machine doesn't have"):
        TrainRun(data="~nobody-at-all/x")
