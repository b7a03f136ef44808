"""Files that mean harm: small ones that hang, crash or fill the memory of whoever trusts them."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import numpy as np

from paddleprune.cli.flags import parse_pairs, read_run_file
from paddleprune.pruning import Plan
from paddleprune.sensitivity import SensitivityTable
from paddleprune.sensitivity.table.unpickle import read_losses
from paddleprune.training import read_info
from paddleprune.vision.decode import decode_colour
from paddleprune_detection.data.coco import read_coco
from paddleprune_segmentation.data.images import decode_image, decode_mask

from .targets import Read


def hostile_files(folder: Path, random: Random, count: int) -> Iterator[tuple[str, Read]]:
    """Write so many files, a quarter each pickles, YAMLs, JSONs and images; of each its name and a call that reads."""
    os.mkfifo(folder / "pipe.png")
    kinds = (_pickles, _yamls, _jsons, _images)
    for number in range(count):
        make = kinds[number % len(kinds)]
        yield make(folder / f"{number}", random)


def _pickles(file: Path, random: Random) -> tuple[str, Read]:
    file.write_bytes(random.choice(_PICKLES)(random))
    return f"pickle {file.name}", lambda: read_losses(file)


def _yamls(file: Path, random: Random) -> tuple[str, Read]:
    text = random.choice(_YAMLS)(random)
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    if random.random() < 0.2:
        return f"option {file.name}", lambda: parse_pairs([f"a={text}"], "options")
    return f"YAML {file.name}", lambda: read_run_file(file)


def _jsons(file: Path, random: Random) -> tuple[str, Read]:
    file.mkdir()
    content = random.choice(_JSONS)(random)
    for name in ("checkpoint.json", "a.json"):
        (file / name).write_bytes(content.encode("utf-8", "surrogatepass"))
    reads: tuple[Read, ...] = (
        *(lambda: Plan.load(file / "a.json"), lambda: Plan.load(file / "a.json", edited=True)),
        *(lambda: SensitivityTable.load(file / "a.json"), lambda: read_info(file)),
        *(lambda: read_run_file(file / "a.json"), lambda: read_coco(file / "a.json", file)),
    )
    return f"JSON {file.name}", random.choice(reads)


def _images(file: Path, random: Random) -> tuple[str, Read]:
    path = file.with_suffix(".npy" if random.random() < 0.15 else ".png")
    path.write_bytes((_array if path.suffix == ".npy" else random.choice(_IMAGES))(random))
    chosen = file.parent / "pipe.png" if random.random() < 0.05 else path
    if path.suffix == ".npy":
        return f"array {file.name}", lambda: decode_image(chosen, 5, "list:1")
    reads: tuple[Read, ...] = (
        *(lambda: decode_colour(chosen, "list:1"), lambda: decode_mask(chosen, 3, "list:1")),
        lambda: decode_image(chosen, 5, "list:1"),
    )
    return f"image {file.name}", random.choice(reads)


Make = Callable[[Random], bytes]


def _program(random: Random) -> bytes:
    """Instructions at random: most of them need something on the stack that isn't there."""
    codes = b"()0123FIJKLMNPQRSTUVX\\]abcdeghijlopqrstu}.\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8e\x8f\x93\x94\x95"
    parts = [bytes([random.choice(codes)]) + random.randbytes(random.choice((0, 0, 1, 4))) for _ in range(50)]
    return b"\x80\x04}" + b"".join(parts) + b"."


_PICKLES: tuple[Make, ...] = (
    _program,
    _program,
    lambda r: b"\x80\x04}N\x85" + b"2\x86" * r.randrange(20, 90_000) + b"K\x01s.",
    lambda r: b"\x80\x04" + b"}\x8c\x01a" * 90_000 + b"K\x01" + b"s" * 90_000 + b".",
    lambda r: b"\x80\x04(" * r.randrange(1, 99_999) + b"t.",
    lambda r: b"\x80\x04X" + struct.pack("<I", 2**31 - r.randrange(9)) + b"a.",
    lambda r: b"\x80\x04\x8b" + struct.pack("<i", 700_000) + r.randbytes(700_000) + b"\x94}" + b"h\0Ns" * 60_000 + b".",
    lambda r: b"L" + b"9" * r.randrange(5000, 900_000) + b"L\n.",
    lambda r: b"I" + b"9" * r.randrange(4000, 900_000) + b"\n.",
    lambda r: pickle.dumps({"a" * r.randrange(400, 900_000): {0.5: 0.1}}),
    lambda r: pickle.dumps({f"{'9' * 4400}{i}": {0.5: 0.1} for i in range(r.randrange(2, 99))}),
    lambda r: pickle.dumps({"\N{SUPERSCRIPT TWO}" * 9: {0.5: 0.1}, "\0\n\x1b[2J": {0.5: float(r.random())}}),
    lambda r: pickle.dumps({"a": {r.choice((float("inf"), -1.0, 0, 1e-9, 10**30, True)): 0.1}}),
    lambda r: pickle.dumps({"a": {0.5: r.choice((float("nan"), 10**400, "x", None, (1,), b"", {}))}}),
    lambda r: pickle.dumps(np.float64(0.1), 2).replace(b"f8", r.choice((b"O8", b"V9", b"f3", b"U9"))),
    lambda r: _shared(r.randrange(1000, 30_000)),
    lambda r: b"\x80\x04c" + r.choice((b"os\nsystem", b"builtins\neval", b"numpy\nload", b"\n")) + b"\n(\x8c\x02lst R.",
    lambda r: b"\x80\x04}\x94h\0h\0" + r.choice((b"K\x01s", b"\x85b", b"\x86R", b"u", b"s")) + b".",
)


def _shared(names: int) -> bytes:
    """One large dict of ratios, under many names."""
    ratios = b"".join(b"G" + struct.pack(">d", i / 40_000) + b"N" for i in range(1, 30_000))
    named = b"".join(b"\x8c\x06%06dh\0" % i for i in range(names))
    return b"\x80\x04}\x94(" + ratios + b"u}(" + named + b"u."


_WORDS = ("!!int", "!!float", "!!timestamp", "!!binary", "!!set", "!!omap", "!!python/tuple", "!<x>", "&a", "*a", "<<:")
_YAMLS: tuple[Callable[[Random], str], ...] = (
    lambda r: "a: " + r.choice("[{") * r.randrange(50, 150_000),
    lambda r: r.choice(("- ", "? ", "- ? ", "a:\n ", "[a: ")) * r.randrange(50, 30_000),
    lambda r: "a: &a0 [1, 1]\n" + "".join(f"b{i}: &a{i + 1} [{', '.join([f'*a{i}'] * 9)}]\n" for i in range(30)),
    lambda r: "a: &a0 {x: 1}\n" + "".join(f"b{i}: &a{i + 1} {{<<: [*a{i}, *a{i}, *a{i}]}}\n" for i in range(30)),
    lambda r: f"a: {r.choice(('&a [*a]', '&a {b: *a}', '&a {*a : 1}', '*b', '&a'))}",
    lambda r: "a: " + " ".join(r.choice(_WORDS) for _ in range(3)) + r.choice((" abc", " 1", " [1]", "")),
    lambda r: "num_epochs: " + r.choice("19") * r.randrange(20, 190_000),
    lambda r: f"a: {r.choice(('2020-13-45', '2020-01-01', '1:99:99:99', '0b2', '0o9', '.inf', '1e999', '0x', '1__'))}",
    lambda r: "a: 1\n" * r.randrange(2, 5000),
    lambda r: "".join(f"{i}: {i}\n" for i in range(r.randrange(2, 9000))),
    lambda r: (
        r.choice(("\0", "\ud800", "\ufeff", "\x85", "\u2028", "%YAML 9.9\n---", "---\n---", "...", "\t")) + "a: 1"
    ),
    lambda r: "a: '" + "\n" * r.randrange(1, 150_000),
    lambda r: "a: |\n" + " x\n" * r.randrange(1, 50_000),
    lambda r: "? [a]\n: 1\n? {b: 1}\n: 2",
    lambda r: "x" * r.randrange(1, 400_000),
)


def _wrapped(value: str) -> Callable[[Random], str]:
    """A value in the places of fields that are read."""
    fields = ("schema_version", "groups", "images", "options", "before", "identity", "baseline", "sha256", "x")
    return lambda r: f'{{"{r.choice(fields)}": {value}, "task": "t", "family": "f"}}'


_ODD_NUMBERS = ("NaN", "-Infinity", "1e999", "1e-999", "-0.0", "0.1e", "01", "true", "null", '"x"')
_ODD_TEXTS = ('"\\ud800"', '"\\u0000"', '"\ud800"', '"\x7f"', '"\n"', "'x'", "//", "[1,]", "{,}")
_JSONS: tuple[Callable[[Random], str], ...] = (
    lambda r: r.choice(("[", '{"a":', '{"groups":', "[[],")) * r.randrange(100, 150_000),
    lambda r: '{"a":' * (depth := r.randrange(100, 3000)) + "1" + "}" * depth,
    lambda r: "[" * (depth := r.randrange(100, 3000)) + "]" * depth,
    lambda r: _wrapped("9" * r.randrange(20, 500_000))(r),
    lambda r: _wrapped(r.choice(_ODD_NUMBERS))(r),
    lambda r: _wrapped(r.choice(_ODD_TEXTS))(r),
    lambda r: '{"task": "a", "task": "b", "groups": {"x": 1, "x": 2}, "images": [], "images": []}',
    lambda r: json.dumps({"x" * r.randrange(1, 900_000): "y" * r.randrange(1, 900_000)}),
    lambda r: json.dumps({f"k{i}": i for i in range(r.randrange(1, 50_000))}),
    lambda r: r.choice(("", "null", "[]", '""', "1", "{}", "\ufeff{}", "{", "}", "\0")),
    lambda r: json.dumps({"images": [{"id": 1, "file_name": r.choice(("../" * 999, "a\0b", "a" * 9999, "/dev/zero",
              "pipe.png", ".")), "width": 10 ** r.randrange(1, 400), "height": 1}], "annotations": [],
              "categories": [{"id": 1, "name": "a"}]}),
    lambda r: json.dumps({"images": [], "annotations": [], "categories": [{"id": i, "name": "a"} for i in range(9999)]}
              ),
    lambda r: json.dumps({"schema_version": r.choice((0, -1, 1, 2, 3, 10**30, "1", None, 1.5, [])), "task": "t"}),
    lambda r: json.dumps({"schema_version": 1, "eval_metric_loss": None, "criterion": "l1", "groups": {"a": {"units":
              r.choice((1, 0, -5, 10**30)), "keep": r.choice(([0], [], [-1], [10**30], [0, 0])), "ratio": 0.5}},
              "before": {"parameters": 0, "flops": 0}, "after": {"parameters": -1, "flops": 0}}),
)  # fmt: skip


def _png(random: Random) -> bytes:
    """A small file that says it is large, or isn't what it says."""
    sides = [random.choice((0, 1, 30_000, 65_535, 2**31 - 1, 2**32 - 1)) for _ in range(2)]
    depth, kind = random.choice((0, 1, 2, 4, 8, 16, 255)), random.choice((0, 2, 3, 4, 6, 9))
    header = struct.pack(">IIBBBBB", *sides, depth, kind, 0, 0, random.choice((0, 1, 7)))
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(99)))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _tiff(random: Random) -> bytes:
    """Pages that are huge, or that follow each other in a ring."""
    side = random.choice((1, 20_000, 2**31))
    entries = struct.pack("<HHHIIHHII", 2, 256, 4, 1, side, 257, 4, 1, side)
    return b"II*\0" + struct.pack("<I", 8) + entries + struct.pack("<I", random.choice((0, 8, 9, 2**31)))


_IMAGES: tuple[Make, ...] = (
    _png,
    _png,
    _tiff,
    lambda r: (
        b"\xff\xd8" + b"\xff\xc0\0\x11\x08" + struct.pack(">HH", 65_535, 65_535) + b"\x03" + bytes(9) + b"\xff\xd9"
    ),
    lambda r: b"\xff\xd8" + r.choice((b"\xff\xe0\0\0", b"\xff\xff", b"\0", b"\xff\xe1\0\2")) * r.randrange(1, 90_000),
    lambda r: b"BM" + bytes(12) + struct.pack("<Iii", 40, r.choice((1, 2**31 - 1, -(2**31))), 2**31 - 1) + bytes(99),
    lambda r: b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + r.randbytes(99),
    lambda r: b"RIFF" + bytes(4) + b"WEBP" + r.choice((b"VP8X", b"VP8L", b"VP8 ")) + r.randbytes(99),
    lambda r: r.choice((b"P4", b"P5", b"P6", b"P7", b"P2")) + b"\n#" + b"x" * 99 + b"\n99999 99999 255\n" + bytes(9),
    lambda r: r.choice((b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"II*\0")) + r.randbytes(r.randrange(99)),
    lambda r: (
        r.choice((b"#?RADIANCE\n\n-Y 99999 +X 99999\n", b"\x59\xa6\x6a\x95", b"\0\0\0\x0cjP  \r\n\x87\n")) + bytes(99)
    ),
)


def _array(random: Random) -> bytes:
    """A header that promises more than there is, or what isn't an array of numbers."""
    file, shape = io.BytesIO(), random.choice(((10**9, 10**9, 5), (2**62, 4, 4), (0, 5, 5), (-1, 2, 5), (), (2, 2, 5)))
    kind = random.choice(("<f4", "|O", "<U9999999", "<f8", "V1", "[('a', '<f4')]"))
    header = f"{{'descr': '{kind}', 'fortran_order': {random.choice((True, False, 7))}, 'shape': {shape}, }}".encode()
    file.write(b"\x93NUMPY" + random.choice((b"\1\0", b"\2\0", b"\3\0", b"\x09\0")))
    file.write(struct.pack("<H", len(header) + 1) + header + b"\n" + random.randbytes(random.choice((0, 80, 400))))
    return file.getvalue()
