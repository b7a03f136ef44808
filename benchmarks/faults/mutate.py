"""Damage to a file, as disks, networks, editors and careless hands do it."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import TypeAlias

Mutation: TypeAlias = Callable[[Random, bytes], bytes]
_ODD = (
    *(b"0", b"-1", b"1.5", b"1e999", b"-1e999", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b'"x"'),
    *(b"9" * 30, b"9" * 5000, b"1e-400", b"0x10", b"1_0", b"!!int abc", b"2020-01-01", b"&a [*a]", b"~", b"*"),
    *("\N{FULLWIDTH DIGIT FIVE}".encode(), "\N{SUPERSCRIPT TWO}".encode(), b"../../etc/passwd", b"a" * 5000),
)
_SCRAPS = (b"\0", b"\xff", b"\xef\xbb\xbf", b"\r\n", b"\t", b'"', b"{", b"]", b",", b"\\u0000", b"\\ud800", b"<!--")
_TOKEN = re.compile(rb'"[^"\n]*"|[-+.\w]+')


def mutated(random: Random, content: bytes) -> bytes:
    """The content after one to three mutations; never what it was, unless it is empty."""
    result = content
    for _ in range(20):
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            result = random.choice(_MUTATIONS)(random, result)
        if result != content:
            break
    return result


def _place(random: Random, content: bytes) -> int:
    return random.randrange(len(content) + 1)


def _flipped(random: Random, content: bytes) -> bytes:
    place, changed = _place(random, content[:-1]), bytearray(content)
    if changed:
        changed[place] ^= 1 << random.randrange(8)
    return bytes(changed)


def _digit(random: Random, content: bytes) -> bytes:
    found = [match.start() for match in re.finditer(rb"[0-9]", content)]
    if not found:
        return content
    place = random.choice(found)
    return content[:place] + b"%d" % random.randrange(10) + content[place + 1 :]


def _cut_off(random: Random, content: bytes) -> bytes:
    return content[: _place(random, content)]


def _cut_out(random: Random, content: bytes) -> bytes:
    start = _place(random, content)
    return content[:start] + content[start + random.randrange(1, 40) :]


def _doubled(random: Random, content: bytes) -> bytes:
    start = _place(random, content)
    part = content[start : start + random.randrange(1, 200)]
    return content[:start] + part * random.choice((2, 2, 2, 50)) + content[start + len(part) :]


def _scrap(random: Random, content: bytes) -> bytes:
    place = _place(random, content)
    return content[:place] + random.choice(_SCRAPS) * random.choice((1, 1, 300)) + content[place:]


def _zeroed(random: Random, content: bytes) -> bytes:
    start = _place(random, content)
    part = content[start : start + 512]
    return content[:start] + bytes(len(part)) + content[start + len(part) :]


def _odd_value(random: Random, content: bytes) -> bytes:
    found = list(_TOKEN.finditer(content[:200_000]))
    if not found:
        return content
    start, stop = random.choice(found).span()
    return content[:start] + random.choice(_ODD) + content[stop:]


def _other_token(random: Random, content: bytes) -> bytes:
    """One word or number in another's place."""
    found = list(_TOKEN.finditer(content[:200_000]))
    if not found:
        return content
    (start, stop), other = random.choice(found).span(), random.choice(found)[0]
    return content[:start] + other + content[stop:]


def _lines(random: Random, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    a, b = random.randrange(len(lines)), random.randrange(len(lines))
    kind = random.randrange(4)
    if kind == 0:
        del lines[a]
    elif kind == 1:
        lines.insert(b, lines[a])
    elif kind == 2:
        lines[a], lines[b] = lines[b], lines[a]
    else:
        lines = lines[:a] + lines[b:]
    return b"".join(lines)


_MUTATIONS: tuple[Mutation, ...] = (
    *(_flipped, _digit, _cut_off, _cut_out, _doubled, _scrap, _zeroed, _odd_value, _odd_value, _other_token, _lines),
)
