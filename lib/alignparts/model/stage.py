"""Inputs of a training stage, for the command line and the items of the pipeline's matrices."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from alignparts.core import paths
from alignparts.core.config import Params, load_params
from alignparts.core.run import settle
from alignparts.features.store import FeatureStore
from alignparts.model.texts import Encode
from alignparts.ontology.text import TEXTS, StoredTexts, TextEncoder
from alignparts.ontology.vocabulary import Vocabulary


@dataclass(frozen=True)
class Stage:
    """Settings of params.yaml, the folders of a stage, and its inputs, each read at its first use.

    `data` holds ``features`` and ``ontology``, `models` the trained models.
    """

    params: Params
    data: Path = paths.DATA
    models: Path = paths.MODELS

    @classmethod
    def start(cls) -> "Stage":
        """Make this process repeatable and return the stage that params.yaml describes."""
        params = load_params()
        settle(params)
        return cls(params)

    @cached_property
    def store(self) -> FeatureStore:
        """Return the features of the corpus."""
        return FeatureStore(self.data / "features")

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Return the unified vocabulary."""
        return Vocabulary.load(self.data / "ontology" / "vocabulary.json")

    @cached_property
    def encode(self) -> Encode:
        """Return the text encoder's function from texts to embeddings; those of the vocabulary are stored."""
        name, stored = self.params.ontology.text_encoder, self.data / "ontology" / TEXTS
        return (StoredTexts(stored, name) if stored.is_file() else TextEncoder.from_name(name)).encode
