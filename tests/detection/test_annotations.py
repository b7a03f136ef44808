"""VOC and COCO are read alike, and every mistake in them gives one line that names the place and the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from det_files import LABELS, draw, voc_xml, write_voc
from pydantic import ValidationError

from paddleprune.errors import DataError
from paddleprune_detection.config import DetectionData
from paddleprune_detection.data.coco import read_coco
from paddleprune_detection.data.dataset import read_records
from paddleprune_detection.data.voc import read_voc


def test_both_layouts_say_the_same(voc_folder: Path, coco_folder: Path) -> None:
    labels, records = read_records(DetectionData.from_directory(voc_folder, "train"))
    coco_labels, coco_records = read_records(DetectionData.from_directory(coco_folder, "train"))
    assert labels == coco_labels == LABELS
    for number, (voc, coco) in enumerate(zip(records, coco_records, strict=True)):
        _, boxes, classes = draw(number)
        assert voc.image.name == coco.image.name == f"train_{number}.png"
        assert voc.size == coco.size == (48, 64)
        for objects in (voc.objects, coco.objects):
            assert objects.boxes.tolist() == [list(box) for box in boxes]
            assert objects.classes.tolist() == classes
            assert objects.boxes.dtype == np.float32
            assert objects.weights.tolist() == [1] * len(classes)


def annotated(folder: Path, xml: str | bytes) -> Path:
    """A VOC data set whose second image has this annotation."""
    write_voc(folder)
    (folder / "Annotations/train_1.xml").write_bytes(xml.encode() if isinstance(xml, str) else xml)
    return folder


def read(folder: Path) -> Any:
    return read_voc(folder / "train_list.txt", folder, LABELS)


def test_difficult_objects_and_images_without_objects(tmp_path: Path) -> None:
    boxes = [(0, 0, 8, 9), (10, 10, 64, 48)]
    records = read(annotated(tmp_path, voc_xml((48, 64), boxes, ["box", "disc"], difficult=(1,))))
    assert records[1].objects.difficult.tolist() == [False, True]
    assert records[1].objects.crowd.tolist() == [False, False]
    empty = read(annotated(tmp_path, voc_xml((48, 64), [], [])))[1].objects
    assert empty.boxes.shape == (0, 4)
    assert empty.classes.shape == (0,)


def test_a_box_is_cut_off_where_rounding_put_it_outside(tmp_path: Path) -> None:
    """Some tools count pixels from 0, so that xmin 0 begins one pixel left of the image."""
    records = read(annotated(tmp_path, voc_xml((48, 64), [(-1, -1, 65, 49)], ["box"])))
    assert records[1].objects.boxes.tolist() == [[0, 0, 64, 48]]


def xml_with(**changes: str) -> str:
    """An annotation of one object in which some elements hold another text, or are missing (empty)."""
    xml = voc_xml((48, 64), [(4, 5, 20, 30)], ["box"])
    for name, text in changes.items():
        start, stop = xml.index(f"<{name}>"), xml.index(f"</{name}>") + len(f"</{name}>")
        xml = xml[:start] + (f"<{name}>{text}</{name}>" if text else "") + xml[stop:]
    return xml


PLACE = r"train_list.txt:2: annotation .*train_1.xml"


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotation><object>", rf"{PLACE} is no XML that can be read: no element found: line 1, column 20"),
        ("", rf"{PLACE} is no XML that can be read: no element found"),
        (b"\xff\xfe\x00", rf"{PLACE} is no XML that can be read"),
        ("<?xml version='1.0' encoding='klingon'?><annotation/>", rf"{PLACE} is no XML .*klingon"),
        ("<html></html>", rf"{PLACE} is no VOC annotation: it is a <html>, not an <annotation>"),
        (xml_with(size=""), rf"{PLACE} has no <size><height>"),
        (xml_with(width="0"), rf"{PLACE}: <size> says that the image is 0 wide and 48 high"),
        (xml_with(width="wide"), rf"{PLACE}: <size><width> is 'wide', which is no number"),
        (xml_with(name="bax"), rf"{PLACE}, object 1 \('bax'\): the label list has no such class; did you mean 'box'\?"),
        (xml_with(name=""), rf"{PLACE}, object 1 \(''\): the label list has no such class"),
        (xml_with(xmax=""), rf"{PLACE}, object 1 \('box'\) has no <bndbox><xmax>"),
        (xml_with(bndbox=""), rf"{PLACE}, object 1 \('box'\) has no <bndbox><xmin>"),
        (xml_with(ymin="nan"), rf"{PLACE}, object 1 \('box'\): <bndbox><ymin> is 'nan', which is no number"),
        (xml_with(xmax="5"), rf"{PLACE}, object 1 \('box'\): xmin 5, ymin 6, xmax 5, ymax 30 has no area; correct"),
        (xml_with(ymax="2"), r"xmin 5, ymin 6, xmax 20, ymax 2 has no area; correct the box or delete the object"),
        (xml_with(xmax="70"), r"xmax 70, ymax 30 reaches outside its image, 64 wide and 48 high; correct the box"),
        (xml_with(ymin="-9"), r"ymin -9, xmax 20, ymax 30 reaches outside its image, 64 wide and 48 high"),
        (xml_with(xmin="65", xmax="66"), r"xmin 65, .* reaches outside its image, 64 wide and 48 high"),
    ],
)
def test_a_bad_voc_annotation_is_named(tmp_path: Path, xml: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(annotated(tmp_path, xml))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("JPEGImages/train_0.png", r"train_list.txt:2: expected `image annotation.xml`, got 'JPEGImages/train_0.png'"),
        ("a b c", r"train_list.txt:2: expected .*, got 'a b c'; separate names that hold spaces by a tab"),
        ("JPEGImages/lost.png Annotations/train_0.xml", r"train_list.txt:2: image .*lost.png does not exist"),
        ("JPEGImages/train_0.png Annotations/lost.xml", r"train_list.txt:2: annotation .*lost.xml does not exist"),
        ("JPEGImages/train_0.png Annotations", r"train_list.txt:2: annotation .*Annotations is not a file"),
    ],
)
def test_a_bad_line_is_named(voc_folder: Path, line: str, message: str) -> None:
    (voc_folder / "train_list.txt").write_text(f"JPEGImages/train_0.png Annotations/train_0.xml\n{line}\n")
    with pytest.raises(DataError, match=message) as caught:
        read(voc_folder)
    assert "\n" not in str(caught.value)


def test_an_empty_list_is_named(voc_folder: Path) -> None:
    (voc_folder / "train_list.txt").write_text("\n \n")
    with pytest.raises(DataError, match=r"file list .*train_list.txt is empty; write `image annotation.xml`"):
        read(voc_folder)


def test_a_tab_separates_names_with_spaces(voc_folder: Path) -> None:
    (voc_folder / "JPEGImages/train_0.png").rename(voc_folder / "JPEGImages/a b ü.png")
    (voc_folder / "train_list.txt").write_text("JPEGImages/a b ü.png\tAnnotations/train_0.xml\n", encoding="utf-8")
    (record,) = read(voc_folder)
    assert record.image.name == "a b ü.png"


Change = Callable[[dict[str, Any]], Any]


def changed(folder: Path, change: Change) -> Path:
    """The COCO file after a change to its content."""
    file = folder / "train.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return file


def test_crowds_and_images_without_objects_in_coco(coco_folder: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        content["annotations"] = content["annotations"][:1]
        content["annotations"][0]["iscrowd"] = 1

    _, records = read_coco(changed(coco_folder, change), coco_folder / "JPEGImages")
    assert records[0].objects.crowd.tolist() == [True]
    assert [len(record.objects.classes) for record in records] == [1, 0, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["annotations"][0].update(image_id=9), r"annotation 1 belongs to image 9, which isn't among"),
        (lambda c: c["annotations"][0].update(category_id=4), r"annotation 1 has category 4, which isn't among"),
        (lambda c: c["annotations"][0].update(bbox=[4, 5, 0, 9]), r"annotation 1: bbox 4, 5, 0, 9 has no area; corr"),
        (lambda c: c["annotations"][0].update(bbox=[4, 5, -3, 9]), r"annotation 1: bbox 4, 5, -3, 9 has no area"),
        (
            lambda c: c["annotations"][0].update(bbox=[60, 5, 8, 9]),
            r"annotation 1: bbox 60, 5, 8, 9 reaches outside its image, 64 wide and 48 high; correct",
        ),
        (lambda c: c["annotations"][0].update(bbox=[1, 2, 3]), r"not a readable coco file: annotations, entry 1, bbox"),
        (lambda c: c["annotations"][0].update(bbox=None), r"annotations, entry 1, bbox must be a list"),
        (lambda c: c["annotations"][0].pop("category_id"), r"annotations, entry 1, category_id is missing"),
        (lambda c: c["annotations"][1].update(id=1), r"train.json: annotation 1 occurs twice; ids must differ"),
        (lambda c: c["images"][1].update(id=40), r"train.json: image 40 occurs twice; ids must differ"),
        (lambda c: c["images"][1].update(width=0), r"images, entry 2, width must be at least 1, not 0"),
        (lambda c: c["images"][1].update(file_name="lost.png"), r"train.json: image 41: .*lost.png does not exist"),
        (lambda c: c.update(images=[]), r"train.json names no images"),
        (lambda c: c.update(annotations=[], categories=[]), r"train.json names no categories"),
        (lambda c: c["categories"][0].update(name="disc"), r"two categories named .disc.; rename one or join them"),
        (lambda c: c.pop("annotations"), r"train.json is not a readable coco file: annotations is missing"),
    ],
)
def test_a_bad_coco_annotation_is_named(coco_folder: Path, change: Change, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_coco(changed(coco_folder, change), coco_folder / "JPEGImages")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_json_is_named(coco_folder: Path) -> None:
    file = coco_folder / "train.json"
    file.write_text(file.read_text()[:100])
    with pytest.raises(DataError, match=r"train.json is not a readable coco file: it is not JSON.*line 1") as caught:
        read_coco(file, coco_folder)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=r"no.json does not exist"):
        read_coco(coco_folder / "no.json", coco_folder)


def test_from_directory_says_what_is_missing(voc_folder: Path, coco_folder: Path) -> None:
    (voc_folder / "labels.txt").unlink()
    (coco_folder / "val.json").unlink()
    for folder in (voc_folder, coco_folder):
        with pytest.raises(DataError, match=r"holds no eval data: expected val_list.txt and labels.txt \(VOC layout\)"):
            DetectionData.from_directory(folder, "eval")
    with pytest.raises(DataError, match=r"or train.json and a folder JPEGImages \(COCO layout\)"):
        DetectionData.from_directory(coco_folder / "JPEGImages", "train")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"give file_list and label_list \(VOC\), or ann_file \(COCO\)"),
        ({"file_list": "l"}, r"give file_list and label_list \(VOC\), or ann_file"),
        ({"file_list": "l", "ann_file": "a"}, "give one kind, not both"),
    ],
)
def test_one_layout_at_a_time(fields: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DetectionData.model_validate({"data_dir": ".", **fields})
