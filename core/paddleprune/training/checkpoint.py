"""The checkpoint folder: all that a model needs to be used anywhere, without code of the user's.

- `checkpoint.json`: CheckpointInfo
- `weights.safetensors`: parameters and buffers, by structured name
- `plan.json`: if the model is pruned
- `training.json` (TrainState) and `optimizer.safetensors`: only in a folder that training can go on from
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field
from safetensors import SafetensorError
from safetensors.numpy import load as parse_safetensors
from safetensors.numpy import save as dump_safetensors

from paddleprune import __version__
from paddleprune.console import command
from paddleprune.errors import CheckpointError
from paddleprune.files import read_bytes
from paddleprune.interfaces import Array
from paddleprune.pruning.plan import Plan
from paddleprune.signed import Signed, dump_signed, read_signed
from paddleprune.training.folder import existing, replacing, write_synced
from paddleprune.training.state import TrainState

if TYPE_CHECKING:
    from paddle import nn

INFO, WEIGHTS, PLAN = "checkpoint.json", "weights.safetensors", "plan.json"
STATE, OPTIMIZER = "training.json", "optimizer.safetensors"
_WAY_OUT = "use another checkpoint, such as an earlier epoch_N, or copy this one again"


class CheckpointInfo(Signed):
    """What a checkpoint is: enough to build the model again, to feed it and to judge it.

    Attributes:
        options: the family's options.
        labels: names of the classes, in the order of their numbers.
        transforms: preprocessing of the evaluation split.
        metric: the metric's config.
        loss: the loss's config.
        metrics: what evaluation gave for these weights.
        primary_metric: the one that decided about `best_model`.
        completed_epochs: epochs of training behind these weights.
        weights_sha256: of weights.safetensors.
        plan_sha256: of plan.json; empty if there is none, None in an earlier format.
        imported: the file that the weights are from, and its SHA-256; empty where they were trained here.
        command: what wrote it, as it was typed; empty where a program of the user's did.
    """

    model_config = ConfigDict(ser_json_inf_nan="strings")
    signed_since: ClassVar[int] = 2
    way_out: ClassVar[str] = _WAY_OUT

    schema_version: int = 2
    paddleprune_version: str = __version__
    task: str
    family: str
    options: dict[str, Any] = Field(default_factory=dict)
    labels: tuple[str, ...] = ()
    transforms: tuple[dict[str, Any], ...] = ()
    metric: dict[str, Any] = Field(default_factory=dict)
    loss: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    primary_metric: str = ""
    higher_is_better: bool = True
    completed_epochs: int = 0
    weights_sha256: str = ""
    plan_sha256: str | None = None
    imported: str = ""
    command: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as read: `weights` maps structured names to arrays."""

    folder: Path
    info: CheckpointInfo
    plan: Plan | None
    weights: Mapping[str, Array]


def save_checkpoint(
    folder: Path,
    layer: nn.Layer,
    info: CheckpointInfo,
    plan: Plan | None = None,
    state: TrainState | None = None,
    optimizer: Mapping[str, Array] | None = None,
) -> None:
    """Write a checkpoint, replacing one that is there only when the new one is complete.

    Args:
        folder: where.
        layer: whose weights.
        info: what it is; the hashes and the command are filled in here.
        plan: how the model was pruned, if it was.
        state: where training stands, for a checkpoint that it can go on from.
        optimizer: the optimizer's state, with `state`.

    Raises:
        SaveError: the disk is full or the place can't be written; a checkpoint that was there is untouched.
    """
    from paddleprune.training.weights import weights_of

    write_checkpoint(folder, weights_of(layer), info, plan, state, optimizer)


def write_checkpoint(
    folder: Path,
    weights: Mapping[str, Array],
    info: CheckpointInfo,
    plan: Plan | None = None,
    state: TrainState | None = None,
    optimizer: Mapping[str, Array] | None = None,
) -> None:
    """`save_checkpoint`, of weights by structured name."""
    content = dump_safetensors(dict(weights))
    planned = None if plan is None else dump_signed(plan)
    hashes = {"weights_sha256": _sha256(content), "plan_sha256": "" if planned is None else _sha256(planned)}
    with replacing(folder, INFO) as fresh:
        write_synced(fresh / WEIGHTS, content)
        if planned is not None:
            write_synced(fresh / PLAN, planned)
        if state is not None:
            accumulators = dump_safetensors(dict(optimizer or {}))
            write_synced(fresh / OPTIMIZER, accumulators)
            theirs = {"weights_sha256": hashes["weights_sha256"], "optimizer_sha256": _sha256(accumulators)}
            write_synced(fresh / STATE, dump_signed(state.model_copy(update=theirs)))
        write_synced(fresh / INFO, dump_signed(info.model_copy(update={**hashes, "command": command()})))


def read_info(folder: Path) -> CheckpointInfo:
    """What a checkpoint is, without its weights.

    Raises:
        CheckpointError: there is none, or a newer paddleprune wrote it.
    """
    place = existing(folder)
    if not (place / INFO).is_file():
        raise CheckpointError(_no_checkpoint(folder))
    return read_signed(place / INFO, CheckpointInfo, CheckpointError)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint and check that it is whole.

    Raises:
        CheckpointError: it isn't there, isn't whole, or a newer paddleprune wrote it.
    """
    info, place = read_info(folder), existing(folder)
    weights = _read_tensors(place / WEIGHTS, info.weights_sha256)
    return Checkpoint(folder, info, _read_plan(place, info), weights)


def read_state(folder: Path) -> tuple[TrainState, dict[str, Array]]:
    """Where training stood, and the optimizer's state.

    Raises:
        CheckpointError: the checkpoint has none (as `best_model`), or isn't whole.
    """
    place = existing(folder)
    if not (place / STATE).exists():
        raise CheckpointError(
            f"{folder} holds no {STATE}, so training can't resume from it; give an epoch_N folder beside it"
        )
    state = read_signed(place / STATE, TrainState, CheckpointError)
    if state.weights_sha256 not in ("", read_info(folder).weights_sha256):
        raise CheckpointError(f"{place / STATE} belongs to other weights than those beside it; {_WAY_OUT}")
    return state, _read_tensors(place / OPTIMIZER, state.optimizer_sha256)


def _read_plan(place: Path, info: CheckpointInfo) -> Plan | None:
    """The plan of the checkpoint's weights, if they are pruned.

    Raises:
        CheckpointError: it is missing, or another one's.
    """
    path, saved = place / PLAN, info.plan_sha256
    if not path.exists() and not saved:
        return None
    if saved is not None and _sha256(read_bytes(path, CheckpointError)) != saved:
        raise CheckpointError(f"{path} isn't the plan that was saved with this checkpoint; {_WAY_OUT}")
    return read_signed(path, Plan, CheckpointError)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read_tensors(path: Path, sha256: str) -> dict[str, Array]:
    content = read_bytes(path, CheckpointError)
    if _sha256(content) != sha256:
        raise CheckpointError(f"{path} is damaged or truncated (its SHA-256 isn't what was saved); {_WAY_OUT}")
    try:
        return dict(parse_safetensors(content))
    except (SafetensorError, KeyError) as error:
        raise CheckpointError(f"{path} is not a readable safetensors file ({error}); {_WAY_OUT}") from error


def _no_checkpoint(folder: Path) -> str:
    if not folder.exists():
        return f"{folder} does not exist; give a folder that training wrote, such as output/best_model"
    inside = next((f for f in ("best_model", "epoch_1") if (folder / f / INFO).exists()), None)
    usual = "give a folder that training wrote, such as output/best_model; import-weights makes one of other weights"
    way_out = f"give {folder / inside}" if inside else usual
    return f"{folder} is not a checkpoint (it holds no {INFO}); {way_out}"
