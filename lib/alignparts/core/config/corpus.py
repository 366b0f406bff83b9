"""Block ``corpus`` of params.yaml: the sources of the corpus and their splits (section 3.4)."""

from typing import Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from alignparts.core.config.block import Block

Kind = Literal[
    "auto", "partnet", "partnet_mobility", "compat", "compat_hdf5", "find3d", "partobjaverse", "texverse",
    "named_glb", "labeled_mesh", "open", "corpus", "embedded",
]  # fmt: skip
"""Kinds of data set; "auto" detects them, also several in one folder."""


class SourceParams(Block):
    """Data set that the corpus is made of, and which of its labels and shapes.

    Attributes:
        kind: kind of the data set; "embedded" generates it.
        folder: folder or zip of the data set, under ``data/raw`` if relative; none for "embedded".
        tree: PartNet: names as annotated ("raw"), or after merging.
        level: PartNet: parts of this level of its benchmark; null: the leaves of the tree.
        geometry: PartNet: meshes, or the point samples.
        granularity: 3DCoMPaT++: fine or coarse part names.
        limit: most shapes taken, drawn by the seed; null: all.
        share: share of the shapes taken, drawn by the seed.
        license: license of shapes for which no manifest states one; "": that of the data set.
    """

    kind: Kind
    folder: str | None = None
    tree: Literal["raw", "merged"] = "raw"
    level: int | None = Field(None, ge=1, le=3)
    geometry: Literal["mesh", "points"] = "mesh"
    granularity: Literal["fine", "coarse"] = "fine"
    limit: PositiveInt | None = None
    share: float = Field(1.0, gt=0, le=1)
    license: str = ""

    @model_validator(mode="after")
    def _check_folder(self) -> "SourceParams":
        if self.kind == "embedded" and self.model_fields_set > {"kind"}:
            raise ValueError("kind embedded takes no other key; corpus.embedded holds its sizes")
        if self.kind != "embedded" and not self.folder:
            raise ValueError(f"kind {self.kind} needs a folder, under data/raw if relative")
        return self


class EmbeddedParams(Block):
    """Sizes of the generated data sets, and their shapes' orientation."""

    shapes_per_category: PositiveInt
    heldout_shapes: NonNegativeInt
    dialects: dict[Literal["partnet", "compat", "find3d"], float]
    free_yaw: float = Field(ge=0, le=1)

    @model_validator(mode="after")
    def _check_sum_of_shares(self) -> "EmbeddedParams":
        if abs(sum(self.dialects.values()) - 1) > 1e-6:
            raise ValueError("dialects: the shares must add up to 1")
        return self


class CorpusParams(Block):
    """Sources of the corpus, its splits, and the samples per shape (section 3.4)."""

    sources: tuple[SourceParams, ...] = Field(min_length=1)
    embedded: EmbeddedParams
    split: Literal["paper", "official", "by_source"]
    test_per_category: NonNegativeInt
    find3d_test: NonNegativeInt
    test_fraction: float = Field(gt=0, lt=1)
    validation_fraction: float = Field(ge=0, lt=1)
    heldout: tuple[str, ...]
    points: int = Field(ge=16)

    @property
    def is_embedded(self) -> bool:
        """Return whether generated shapes are among the sources."""
        return any(source.kind == "embedded" for source in self.sources)
