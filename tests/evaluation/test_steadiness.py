"""Steadiness of a model that names by height: what may change a name, and what may not."""

import numpy as np
import pytest
import trimesh
from named_parts import pipeline

from alignparts.corpus.mesh.surface import Surface, make_surface
from alignparts.evaluation.experiments.steadiness import CHANGES, DRAWS, steadiness


def stacked() -> Surface:
    """Two cylinders, one above the other; up is y."""
    ends = [trimesh.creation.cylinder(1, 1) for _ in range(2)]
    ends[1].apply_translation((0, 0, 5))
    mesh = trimesh.util.concatenate(ends)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
    return make_surface(mesh.vertices, mesh.faces)


def test_names_by_height_stay_under_every_change():
    found = steadiness({"stacked": stacked()}, pipeline())
    assert set(found.change) == {"another draw", *CHANGES}
    assert len(found) == DRAWS - 1 + len(CHANGES)
    assert found.area.to_numpy() == pytest.approx(1.0) and (found.category == 1).all()


def test_a_change_that_matters_is_seen(monkeypatch):
    def upside_down(surface: Surface) -> Surface:
        return make_surface(surface.vertices * [1, -1, 1], surface.faces)

    monkeypatch.setattr("alignparts.evaluation.experiments.steadiness.CHANGES", {"upside down": upside_down})
    found = steadiness({"stacked": stacked()}, pipeline(), draws=1)
    assert found.area.tolist() == pytest.approx([0.0])
