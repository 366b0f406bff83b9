"""Data sets as they lie on disk, read as labeled shapes. Nothing else reads a data set's own format.

A kind of data set is a module with ``is_root``, ``locate`` and ``read`` (:class:`kinds.DataSet`);
:mod:`kinds` picks the one that a folder is for. Single named GLBs are read by :mod:`named_glb`.
"""

from alignparts.corpus.readers.common import BrokenLabels, Locator, ReadOptions
from alignparts.corpus.readers.kinds import KINDS, UNKNOWN, detect, model_and_split, read, scan

__all__ = [
    "KINDS",
    "UNKNOWN",
    "BrokenLabels",
    "Locator",
    "ReadOptions",
    "detect",
    "model_and_split",
    "read",
    "scan",
]
