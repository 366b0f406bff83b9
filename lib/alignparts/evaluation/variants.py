"""Items that a stage's matrix trains: their folders, the rule for missing ones, and their command."""

import sys
from collections.abc import Callable
from pathlib import Path

from alignparts.core import ledger
from alignparts.core.errors import AlignPartsError
from alignparts.model.stage import Stage


def folder_of(models: Path, group: str, *item: str | int) -> Path:
    """Return the folder of an item: ``models/group/item``, the values of the item joined by hyphens."""
    return models / group / "-".join(map(str, item))


def finished(
    folder: Path, stage: str, train: Callable[[], object] | None = None, mark: str = "config.json"
) -> Path:
    """Return the folder of an item that is trained, training it where it is missing.

    Args:
        folder: folder of the item.
        stage: stage of dvc.yaml that trains it.
        train: function that trains it; None makes a missing item an error.
        mark: name of the file that a finished item holds.

    Raises:
        AlignPartsError: the item is missing; the message names the command that trains it.
    """
    if train is not None and not (folder / mark).is_file():
        train()
    if not (folder / mark).is_file():
        raise AlignPartsError(f"{folder}: no {mark}, it is not trained; run: dvc repro {stage}")
    return folder


def run_item(stage: str, train: Callable[..., object], *kinds: type) -> None:
    """Train the item of the command line with params.yaml's settings, and record its cost.

    Args:
        stage: stage of dvc.yaml.
        train: function of the item's values and the inputs of the stage.
        kinds: types of the values.
    """
    words = sys.argv[1:]
    inputs = Stage.start()
    with ledger.record(stage, "-".join(words)):
        train(*(kind(word) for kind, word in zip(kinds, words, strict=True)), inputs)
