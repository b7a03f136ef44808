"""From a family's name and options to a layer that maps images to a map of class scores."""

from paddleprune_segmentation.architectures.build import build as build
