"""Poses: however a shape was turned about the up axis or wound, it is seen from the same four sides."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from test_learned import model

from alignparts.model.backbone.pose import QUARTERS, posed
from alignparts.naming.inference import forward


def box(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return points and normals of a box whose sides lie along the axes, longer than wide."""
    rng = np.random.default_rng(0)
    axis, sign = rng.integers(3, size=n), rng.choice([-1.0, 1.0], n)
    points, normals = rng.uniform(-1, 1, (n, 3)), np.zeros((n, 3))
    points[np.arange(n), axis] = normals[np.arange(n), axis] = sign
    return (points * [1.0, 0.4, 0.6]).astype(np.float32), normals.astype(np.float32)


def turned(array: np.ndarray, degrees: float) -> np.ndarray:
    return Rotation.from_euler("y", degrees, degrees=True).apply(array).astype(np.float32)


@pytest.mark.parametrize("degrees", [0.0, 20.0, 131.0, -77.0])
def test_a_turned_shape_has_the_same_poses_in_another_order(degrees):
    points, normals = box()
    poses = [posed(points, normals, quarter) for quarter in range(QUARTERS)]
    others = [posed(turned(points, degrees), turned(normals, degrees), k) for k in range(QUARTERS)]
    same = [[np.allclose(one, other, atol=1e-4) for other in others] for one in poses]
    assert sorted(map(sum, same)) == [1] * QUARTERS == sorted(map(sum, zip(*same, strict=True)))


def test_the_sides_of_a_box_lie_along_the_axes_and_normals_point_outward():
    points, normals = box()
    for quarter in range(QUARTERS):
        _, seen = posed(turned(points, 33.0), -turned(normals, 33.0), quarter)
        np.testing.assert_allclose(np.abs(seen).max(axis=1), 1, atol=1e-4)
        np.testing.assert_allclose(seen, posed(turned(points, 33.0), turned(normals, 33.0), quarter)[1])
    assert (seen * posed(points, normals, quarter)[0]).sum() > 0


def test_lengths_and_the_up_axis_stay():
    points, normals = box()
    for quarter in range(QUARTERS):
        seen, _ = posed(turned(points, 10.0), turned(normals, 10.0), quarter)
        np.testing.assert_allclose(np.linalg.norm(seen, axis=1), np.linalg.norm(points, axis=1), rtol=1e-5)
        np.testing.assert_allclose(seen[:, 1], points[:, 1], atol=1e-6)


def test_points_of_a_turned_shape_say_the_same():
    points, normals = box()
    colors = np.full_like(points, 0.5)
    one = forward(model(), {"points": points, "normals": normals, "colors": colors})
    other = forward(
        model(), {"points": turned(points, 50.0), "normals": -turned(normals, 50.0), "colors": colors}
    )
    for name in ("text", "fused", "global_embedding"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-3)


def test_what_is_averaged_is_the_mean_over_the_poses():
    points, normals = box()
    net, colors = model(), np.full_like(points, 0.5)
    seen = forward(net, {"points": points, "normals": normals, "colors": colors})
    with torch.no_grad():
        outputs = [
            net(*(torch.from_numpy(array)[None] for array in (*posed(points, normals, quarter), colors)))
            for quarter in range(QUARTERS)
        ]
    mean = torch.stack([output.text[0] for output in outputs]).mean(0)
    np.testing.assert_allclose(seen.text, mean, atol=1e-4)
    np.testing.assert_allclose(seen.mask, outputs[0].mask_logits[0].sigmoid(), atol=1e-5)
