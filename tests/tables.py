"""A corpus of small tables, their vocabulary and tiny encoders."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from alignparts.corpus.index import COLUMNS, Corpus, write_shape
from alignparts.corpus.mesh.surface import make_surface
from alignparts.corpus.shape import LabeledShape
from alignparts.features.appearance import AppearanceEncoder
from alignparts.features.extract import Encoders
from alignparts.features.partfield import PartField, PartFieldConfig
from alignparts.ontology.vocabulary import Alias, CategoryEntry, PartEntry, Vocabulary

CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
SIDES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
     [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]]
)  # fmt: skip


def table(seed: int) -> LabeledShape:
    """A top, two legs and a screw that the data set does not name."""
    rng = np.random.default_rng(seed)
    sizes = [(1, 0.1, 1), (0.1, 0.5, 0.1), (0.1, 0.5, 0.1), (0.05, 0.05, 0.05)]
    places = [(0, 0.6, 0), (-0.7, 0, 0), (0.7, 0, 0), (0, 0.75, 0)]
    surface = make_surface(
        np.concatenate([CORNERS * np.array(s) + np.array(p) for s, p in zip(sizes, places, strict=True)]),
        np.concatenate([SIDES + 8 * number for number in range(4)]),
        face_part=np.repeat([0, 1, 2, -1], 12),
        color=np.repeat(np.append(rng.random((4, 3)), np.ones((4, 1)), axis=1), 12, axis=0),
    )
    return LabeledShape(
        f"partnet_{seed}", "partnet", "Table", "MIT", "made here", ["tabletop", "Leg", "Leg"], surface
    )


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    def alias(category: str, part: str = "") -> Alias:
        return Alias(dataset="partnet", category=category, part=part)

    parts = {
        "table_top": PartEntry(
            description="The flat surface.",
            count=2,
            aliases=(alias("Table", "tabletop"), alias("Table", "top")),
        ),
        "leg": PartEntry(description="Holds it up.", count=2, aliases=(alias("Table", "leg"),)),
    }
    entry = CategoryEntry(description="A table.", count=2, aliases=(alias("Table"),), parts=parts)
    return Vocabulary(entries={"table": entry})


@pytest.fixture(scope="module")
def encoders() -> Encoders:
    config = PartFieldConfig(
        plane_resolution=16, voxel_resolution=4, point_width=8, unet_widths=(8, 8), token_width=16,
        layers=1, heads=2, downsample=4, sdf_channels=0, part_channels=12, input_points=128,
    )  # fmt: skip
    return Encoders(PartField(config).eval(), AppearanceEncoder.small(24, seed=0))


def make_corpus(root: Path, seeds: range) -> Corpus:
    rows = []
    for seed in seeds:
        shape = table(seed)
        write_shape(root / "shapes", shape)
        rows.append((shape.shape_id, "partnet", "Table", "train", "MIT", "made here", "Table"))
    pd.DataFrame(rows, columns=list(COLUMNS)).to_parquet(root / "index.parquet")
    return Corpus(root)
