"""What stands around a network in its exported file: pixels before it, boxes without doubles behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from paddle import nn

from paddleprune.api.loading import Network
from paddleprune.errors import ConfigError, GraphError, UnknownNameError, said_by
from paddleprune.exports.inference_files import Shape
from paddleprune.interfaces import Array
from paddleprune.measure.evaluation import eager_forward
from paddleprune.proofs.proof import Fed, batches, probes
from paddleprune.registry import Registry
from paddleprune.vision.camera import camera_for
from paddleprune.vision.suppression import Suppression

_MORE = (32, 64)
"""Pixels by which the second size is larger that a file for any size is proved at: height, width."""


@dataclass(frozen=True)
class Around:
    """A network with what stands around it.

    Attributes:
        layer: what gives the file's outputs, but for the suppression.
        shapes: of the file's inputs, without the batch axis; None is any size.
        dtypes: of the inputs.
        suppression: the last step, if there is one.
        feeds: the network's own inputs -> the file's.
        sizes: shapes of the network's own inputs at which the file is proved.
    """

    layer: nn.Layer
    shapes: Sequence[Shape]
    dtypes: Sequence[str]
    suppression: Suppression | None
    feeds: Callable[[Sequence[Array]], list[Array]]
    sizes: Sequence[Sequence[tuple[int, ...]]]

    def fed(self, samples: Sequence[Array], batch: int | None) -> Fed:
        """What the file and the network are compared on.

        Args:
            samples: of data, for each of the network's inputs [N, ...]; none if there is no data.
            batch: samples a run; None for any number.
        """
        random = [self.feeds(one) for shapes in self.sizes for one in probes(shapes, batch)]
        data = [self.feeds(one) for one in batches(samples, batch)]
        return Fed(random, data, len(samples[0]) if samples else 0)


def put_around(
    registry: Registry, network: Network, *, preprocessing: bool = False, nms: bool = False, dynamic: bool = False
) -> Around:
    """Put around a network what is asked for.

    Args:
        registry: of the plugins.
        network: the layer, and the checkpoint if it is one's.
        preprocessing: whether the file takes pixels.
        nms: whether it gives objects.
        dynamic: whether its inputs may have any height and width.

    Raises:
        ConfigError: the network's task, or its preprocessing, has no such thing.
        GraphError: the network takes one size alone.
    """
    layer, loaded, suppression = network.layer, network.loaded, None
    shapes: list[Shape] = [tuple(shape) for shape in network.shapes]
    dtypes, feeds = ["float32"] * len(shapes), _as_they_are
    sizes = [list(network.shapes)]
    if dynamic and nms:
        raise ConfigError("boxes are decoded for one size of images: leave nms out, or dynamic")
    if dynamic:
        sizes.append([_larger(shape) for shape in network.shapes])
        _try(layer, sizes[-1])
        shapes = [(shape[0], *[None] * len(shape[1:])) for shape in shapes]
    if (nms or preprocessing) and loaded is None:
        raise ConfigError("what stands around a network is its checkpoint's to say: give a checkpoint, not a layer")
    if nms and loaded is not None:
        layer, suppression = _boxes(registry, network)
    if preprocessing and loaded is not None:
        data = registry.task(loaded.info.task).dataset
        layer, feeds = camera_for(layer, data, loaded.info.transforms, loaded.options)
        (channels_first,) = shapes
        shapes, dtypes = [(*channels_first[1:], 3)], ["uint8"]
    return Around(layer, shapes, dtypes, suppression, feeds, sizes)


def _boxes(registry: Registry, network: Network) -> tuple[nn.Layer, Suppression]:
    loaded = network.loaded
    assert loaded is not None
    try:
        model = registry.boxes(loaded.info.task, loaded.info.family, loaded.options, network.layer)
    except UnknownNameError as error:
        raise ConfigError(f"{error}; leave nms out") from error
    if not isinstance(model.suppression, Suppression):
        raise ConfigError(f"{type(model.suppression).__name__} is no paddleprune.vision.suppression.Suppression")
    return model.layer, model.suppression


def _as_they_are(inputs: Sequence[Array]) -> list[Array]:
    return list(inputs)


def _larger(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A second size: other heights than widths."""
    return (shape[0], *(size + _MORE[place % 2] for place, size in enumerate(shape[1:])))


def _try(layer: nn.Layer, shapes: Sequence[tuple[int, ...]]) -> None:
    """Run the network at another size.

    Raises:
        GraphError: it can't.
    """
    try:
        eager_forward(layer)(tuple(np.zeros((1, *shape), np.float32) for shape in shapes))
    except Exception as error:
        raise GraphError(
            f"the network takes one size alone: at {', '.join(str(shape) for shape in shapes)} it fails "
            f"({said_by(error)}); export without dynamic"
        ) from error
