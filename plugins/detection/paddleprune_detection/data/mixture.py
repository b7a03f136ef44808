"""Two images in one, for training."""

from __future__ import annotations

import numpy as np

from paddleprune.vision.objects import joined, weighted
from paddleprune.vision.picture import Picture, inside
from paddleprune.vision.pixels import bearable, rounded


def mixed(first: Picture, second: Picture, share: float) -> Picture:
    """Both, one over the other, on an image that holds both: `share` of the first, the rest of the second.

    Zhang et al., "Bag of Freebies for Training Object Detection Neural Networks" (2019), section 3.1.
    """
    height, width = (max(sides) for sides in zip(first.size, second.size, strict=True))
    image = np.zeros((*bearable((height, width)), first.image.shape[2]), np.float32)
    for picture, part in ((first, share), (second, 1 - share)):
        image[: picture.size[0], : picture.size[1]] += picture.image * np.float32(part)
    objects = joined(weighted(first.objects, share), weighted(second.objects, 1 - share))
    return inside(Picture(rounded(image, first.image), first.frame, objects=objects))
