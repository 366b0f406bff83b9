"""The sample meshes of ``alignparts name --demo``."""

import numpy as np
import pytest

from alignparts.core import paths
from alignparts.corpus.mesh.meshio import load_mesh
from alignparts.release.demo import CATEGORIES, write_samples


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    write_samples(folder)
    return folder


@pytest.mark.parametrize("category", CATEGORIES)
def test_the_shipped_samples_are_those_that_the_generator_makes(made, category):
    shipped, again = (load_mesh(folder / f"{category}.glb") for folder in (paths.DEMO, made))
    np.testing.assert_array_equal(shipped.surface.faces, again.surface.faces)
    np.testing.assert_allclose(shipped.surface.vertices, again.surface.vertices, atol=1e-5)
    assert all(node.startswith(category) for node in shipped.blocks)  # none tells a part


def test_the_samples_are_small(made):
    assert {path.stem for path in paths.DEMO.iterdir()} == {*CATEGORIES}
    assert sum(path.stat().st_size for path in paths.DEMO.iterdir()) < 1_000_000
