"""Parameters as a forward sees them, and what their axes have to do with channels."""

from __future__ import annotations

from dataclasses import dataclass

from paddleprune.graph.atoms import Atoms
from paddleprune.graph.channels import Role


@dataclass(frozen=True)
class View:
    """A parameter or buffer as the forward sees it, maybe transposed or with axes of size 1 added.

    Attributes:
        name: its structured name.
        axes: for each axis of the value the parameter's own axis, None for one that was added.
    """

    name: str
    axes: tuple[int | None, ...]


@dataclass
class ParameterAxis:
    """What an axis of a parameter has to do with atoms; in more than one role if it is used more than once."""

    roles: set[Role]
    atoms: Atoms
    source: Atoms | None = None
