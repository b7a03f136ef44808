"""Pascal VOC's annotations: one XML file for each image."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from paddleprune.errors import DataError
from paddleprune.files import read_bytes
from paddleprune.validation import choose_from
from paddleprune.vision.lists import Listed, listed, read_list, two_paths
from paddleprune.vision.objects import make_objects
from paddleprune_detection.data.records import Box, Record, fitted

_FORM = "image annotation.xml"
_LARGEST = 5_000_000
_MOST = 2**31
_CORNERS = ("xmin", "ymin", "xmax", "ymax")


def read_voc(file_list: Path, data_dir: Path, labels: tuple[str, ...]) -> Listed[Record]:
    """The images of a list of `image annotation.xml` lines (blank lines are skipped).

    Raises:
        DataError: the list can't be read or is empty, a line isn't of that form, a file does not exist, or an
            annotation can't be used.
    """
    return read_list(file_list, _FORM, partial(_record, data_dir=data_dir, labels=labels))


def _record(line: str, origin: str, data_dir: Path, labels: tuple[str, ...]) -> Record:
    names = two_paths(line, origin, _FORM)
    image = listed(data_dir, names[0], "image", origin)
    annotation = listed(data_dir, names[1], "annotation", origin)
    place = f"{origin}: annotation {annotation}"
    root = _parse(annotation, place)
    size = _size(root, place)
    boxes, classes, difficult = [], [], []
    for number, element in enumerate(root.iter("object"), start=1):
        name = (element.findtext("name") or "").strip()
        where = f"{place}, object {number} ({name[:60]!r})"
        if name not in labels:
            raise DataError(f"{where}: the label list has no such class{choose_from(name, labels)}")
        boxes.append(_box(element, size, where))
        classes.append(labels.index(name))
        difficult.append((element.findtext("difficult") or "").strip() == "1")
    return Record(image, origin, size, make_objects(boxes, classes, difficult))


def _parse(annotation: Path, place: str) -> Element:
    try:
        root = ElementTree.fromstring(read_bytes(annotation, DataError, most=_LARGEST))
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # the last two: of its encoding
        raise DataError(f"{place} is no XML that can be read: {error}") from error
    if root.tag != "annotation":
        raise DataError(f"{place} is no VOC annotation: it is a <{root.tag}>, not an <annotation>")
    return root


def _size(root: Element, place: str) -> tuple[int, int]:
    """Height and width of the image."""
    height, width = (_number(root, f"size/{side}", place) for side in ("height", "width"))
    if min(height, width) < 1:
        raise DataError(f"{place}: <size> says that the image is {width:g} wide and {height:g} high; correct it")
    return int(height), int(width)


def _box(element: Element, size: tuple[int, int], place: str) -> Box:
    """VOC counts pixels from 1 and names the first and the last one; here a box goes from edge to edge."""
    left, top, right, bottom = (_number(element, f"bndbox/{corner}", place) for corner in _CORNERS)
    place = f"{place}: xmin {left:g}, ymin {top:g}, xmax {right:g}, ymax {bottom:g}"
    if left == right or top == bottom:
        raise DataError(f"{place} has no area; correct the box or delete the object")
    return fitted((left - 1, top - 1, right, bottom), size, place)


def _number(element: Element, path: str, place: str) -> float:
    text = element.findtext(path)
    if text is None:
        raise DataError(f"{place} has no <{path.replace('/', '><')}>")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or abs(value) > _MOST:
        raise DataError(f"{place}: <{path.replace('/', '><')}> is {text.strip()[:60]!r}, which is no number of pixels")
    return value
