"""A command's flags from the pydantic model of its run file: one source for both."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from paddleprune.cli.spelling import flag, speak_flags, with_flags
from paddleprune.errors import ConfigError
from paddleprune.files import user_path
from paddleprune.plain_yaml import parse_yaml, read_yaml
from paddleprune.specs import Contract
from paddleprune.validation import SETTING, validated

Run = TypeVar("Run", bound=Contract)
CONFIG = "config"
_METAVARS: dict[Any, str] = {int: "<int>", float: "<number>", dict: "<name=value>", tuple: "<a,b,…>", Path: "<path>"}


def takes(model: type[Contract]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command a flag for every field of a model, and `--config FILE` for a run file.

    The command's last parameter, `values`, gets what was said, by field name.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = [p for p in inspect.signature(command, eval_str=True).parameters.values() if p.name != "values"]
        names = {p.name for p in own}

        def run(**given: Any) -> None:
            values = {name: value for name, value in given.items() if name not in names}
            command(**{name: given[name] for name in names}, values=values)

        fields = model.model_fields
        flags = [_parameter(name, info, fields.keys()) for name, info in fields.items()]
        config = _optional(CONFIG, str, "run file (YAML or JSON); flags override its fields", _METAVARS[Path])
        parameters = [*own, config, *flags]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in parameters}
        return run

    return decorate


def resolve(model: type[Run], values: Mapping[str, Any], of: str) -> Run:
    """The run file's fields, overridden by the flags that were given, checked.

    From here on messages name the former as the file does and the latter as flags.

    Raises:
        ConfigError: naming the file or flag, the field and the value.
    """
    flags: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        value = values.get(name)
        if value is None or value == []:
            continue
        kind = _kind(info)
        flags[name] = parse_pairs(value, name) if kind is dict else _split(" ".join(value)) if kind is tuple else value
    if not values.get(CONFIG):
        return validated(model, flags, of, SETTING)
    file = user_path(values[CONFIG])
    said = {name: value for name, value in read_run_file(file).items() if name not in flags}
    if ":" in str(said.get("criterion", "")):
        raise ConfigError(f"{file} names code, {said['criterion']!r}: files run none; give --criterion as a flag")
    if said.get("address") is not None:  # what a Ray cluster answers is unpickled
        raise ConfigError(f"{file} names a cluster, {said['address']!r}: files reach none; give --address as a flag")
    speak_flags(())
    validated(model, said, f"the run file {file}", SETTING)
    speak_flags(model.model_fields.keys() - said.keys())
    return validated(model, {**said, **flags}, of, SETTING)


def read_run_file(path: Path) -> Mapping[str, Any]:
    """A run file's fields (JSON is YAML).

    Raises:
        ConfigError: the file is missing, or isn't a mapping.
    """
    content = read_yaml(path, "the run file", ConfigError)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path} must hold fields and their values, such as `num_epochs: 10`")
    return content


def parse_pairs(pairs: list[str], setting: str) -> dict[str, Any]:
    """`name=value` words to a mapping; values are read as YAML does (0.25, true, [1, 2], text).

    Raises:
        ConfigError: a word has no `=`.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise ConfigError(f"{flag(setting)} takes name=value, got {pair!r}")
        try:
            found[name] = parse_yaml(value)
        except ValueError as error:
            raise ConfigError(f"{flag(setting)} {name}: {value[:60]!r} can't be read: {error}") from error
    return found


def _split(text: str) -> list[str]:
    return [part for part in text.replace(",", " ").split() if part]


def _kind(info: FieldInfo) -> Any:
    """What a flag holds: dict, tuple, bool, int, float, Path or str."""
    annotation = info.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        choices = [arg for arg in get_args(annotation) if arg is not type(None)]
        annotation = choices[0]
    base = get_origin(annotation) or annotation
    return base if base in (dict, tuple, bool, int, float, Path) else str


def _parameter(name: str, info: FieldInfo, names: Collection[str]) -> inspect.Parameter:
    kind = _kind(info)
    default = info.get_default(call_default_factory=True, validated_data={})
    help_text = with_flags(info.description or "", names)
    if kind is dict:
        help_text += " (repeatable)"
    elif default is not None:
        shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
        help_text += f" [default: {str(shown).lower() if kind is bool else shown}]"
    # the model reads numbers, and says what is wrong
    annotation: Any = {dict: list[str], tuple: list[str], bool: bool}.get(kind, str)
    return _optional(name, annotation, help_text, _METAVARS.get(kind))


def _optional(name: str, annotation: Any, help_text: str, metavar: str | None) -> inspect.Parameter:
    flags = [f"{flag(name)}/--no-{flag(name)[2:]}"] if annotation is bool else [flag(name)]
    option = typer.Option(*flags, help=help_text, show_default=False, metavar=metavar)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[annotation | None, option]
    )
