"""From VOC and COCO annotations to preprocessed images and their objects."""
