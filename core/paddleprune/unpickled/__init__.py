"""Pickles of plain data, read without trusting them: a pickle is a program, and none is run.

A file's instructions are taken apart, and those are followed that build dicts, numbers, strings and what a reader's
words know; any other instruction or name is refused. NumPy's numbers and arrays are built here, not by what the file
names.
"""

from paddleprune.unpickled.arrays import Arrays as Arrays
from paddleprune.unpickled.machine import followed as followed
from paddleprune.unpickled.words import Made as Made
from paddleprune.unpickled.words import Name as Name
from paddleprune.unpickled.words import Numbers as Numbers
from paddleprune.unpickled.words import RefusedError as RefusedError
