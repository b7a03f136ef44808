"""From a family's name and options to a layer that maps images to class scores."""

from paddleprune_classification.architectures.build import build as build
