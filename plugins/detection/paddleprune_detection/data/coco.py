"""COCO's annotations: one JSON file for all images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field

from paddleprune.errors import DataError
from paddleprune.files import read_json
from paddleprune.vision.lists import listed, spread
from paddleprune.vision.objects import make_objects
from paddleprune_detection.data.records import Record, fitted

_MOST = 2**31
_Finite = Annotated[float, Field(ge=-_MOST, le=_MOST, allow_inf_nan=False)]
_Side = Annotated[int, Field(ge=1, le=_MOST)]
_Entry = TypeVar("_Entry", "_Image", "_Annotation", "_Category")


class _Image(BaseModel):
    id: int
    file_name: str
    width: _Side
    height: _Side


class _Annotation(BaseModel):
    id: int
    image_id: int
    category_id: int
    bbox: tuple[_Finite, _Finite, _Finite, _Finite]
    iscrowd: Literal[0, 1] = 0


class _Category(BaseModel):
    id: int
    name: str


class CocoFile(BaseModel):
    """What is read of a COCO annotation file; the rest of it may be there and is passed over."""

    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read_coco(ann_file: Path, image_dir: Path) -> tuple[tuple[str, ...], tuple[Record, ...]]:
    """The names of the categories in the order of their ids, and the images in the file's order.

    Raises:
        DataError: the file can't be read, isn't JSON or lacks a field; an id occurs twice or belongs to nothing; a
            box can't be used; or an image does not exist.
    """
    content = read_json(ann_file, CocoFile, DataError)
    if not content.images:
        raise DataError(f"{ann_file} names no images")
    images = _by_id(content.images, f"{ann_file}: image")
    categories = _by_id(content.categories, f"{ann_file}: category")
    _by_id(content.annotations, f"{ann_file}: annotation")
    numbers = {category: number for number, category in enumerate(sorted(categories))}
    labels = tuple(categories[category].name for category in numbers)
    if not labels:
        raise DataError(f"{ann_file} names no categories")
    if len(set(labels)) < len(labels):
        repeated = next(name for i, name in enumerate(labels) if name in labels[:i])[:60]
        raise DataError(f"{ann_file} has two categories named {repeated!r}; rename one or join them")
    found: dict[int, list[_Annotation]] = {image: [] for image in images}
    for annotation in content.annotations:
        where = f"{ann_file}: annotation {annotation.id}"
        if annotation.image_id not in images:
            raise DataError(f"{where} belongs to image {annotation.image_id}, which isn't among the file's images")
        if annotation.category_id not in categories:
            raise DataError(f"{where} has category {annotation.category_id}, which isn't among the file's categories")
        found[annotation.image_id].append(annotation)
    records = tuple(_record(images[i], found[i], numbers, ann_file, image_dir) for i in images)
    for index in spread(len(records)):
        listed(image_dir, content.images[index].file_name, "image", records[index].origin)
    return labels, records


def _record(
    image: _Image, annotations: list[_Annotation], numbers: dict[int, int], ann_file: Path, image_dir: Path
) -> Record:
    origin, size = f"{ann_file}: image {image.id}", (image.height, image.width)
    boxes = []
    for annotation in annotations:
        left, top, width, height = annotation.bbox
        place = f"{ann_file}: annotation {annotation.id}: bbox {left:g}, {top:g}, {width:g}, {height:g}"
        boxes.append(fitted((left, top, left + width, top + height), size, place))
    classes = [numbers[annotation.category_id] for annotation in annotations]
    crowd = [annotation.iscrowd == 1 for annotation in annotations]
    return Record(image_dir / image.file_name.strip(), origin, size, make_objects(boxes, classes, crowd=crowd))


def _by_id(entries: list[_Entry], what: str) -> dict[int, _Entry]:
    found: dict[int, _Entry] = {}
    for entry in entries:
        if entry.id in found:
            raise DataError(f"{what} {entry.id} occurs twice; ids must differ")
        found[entry.id] = entry
    return found
