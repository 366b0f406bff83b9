"""The learned backbone: invariances, its loss over points, both kinds of models from one folder."""

import math

import numpy as np
import pytest
import torch
import toy
from toy import WIDTH

from alignparts.core.checkpoint import save_model
from alignparts.core.errors import AlignPartsError
from alignparts.model.alignparts import AlignParts, AlignPartsConfig
from alignparts.model.backbone.learned import LearnedAlignParts, LearnedConfig, load_model
from alignparts.model.losses import point_loss
from alignparts.model.matching import Targets
from alignparts.naming.inference import forward

CLOSE = {"atol": 1e-5, "rtol": 1e-4}
SMALL = LearnedConfig(
    channels=(16, 32), depths=(1, 1), up_channels=(16,), up_depths=(1,), patch=8, grid=0.3, d_f=16, d_t=WIDTH,
    K=5, decoder_heads=2, layers=1,
)  # fmt: skip


def model() -> LearnedAlignParts:
    torch.manual_seed(0)
    return LearnedAlignParts(SMALL).eval()


def inputs(batch: int = 2, n: int = 40) -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    normals = torch.nn.functional.normalize(torch.randn(batch, n, 3), dim=-1)
    return {"points": torch.rand(batch, n, 3) * 2 - 1, "normals": normals, "colors": torch.rand(batch, n, 3)}


@torch.no_grad()
def test_shapes_of_a_batch_do_not_see_each_other():
    net, both = model(), inputs()
    together = net(**both)
    for index in range(2):
        alone = net(**{name: values[index : index + 1] for name, values in both.items()})
        for name in ("mask_logits", "partness", "partlets", "global_embedding", "fused", "text"):
            torch.testing.assert_close(
                getattr(alone, name)[0], getattr(together, name)[index], atol=1e-5, rtol=1e-4
            )


@torch.no_grad()
def test_the_order_of_the_points_changes_nothing():
    net, given = model(), inputs(1)
    order = torch.randperm(40)
    before = net(**given)
    after = net(**{name: values[:, order] for name, values in given.items()})
    for name in ("partness", "partlets", "global_embedding"):
        torch.testing.assert_close(getattr(after, name), getattr(before, name), **CLOSE)
    torch.testing.assert_close(after.mask_logits, before.mask_logits[:, :, order], **CLOSE)
    torch.testing.assert_close(after.text, before.text[:, order], **CLOSE)


def test_every_weight_learns():
    net = model().train()
    output = net(**inputs())
    parts = (
        output.mask_logits,
        output.partness,
        output.partlets,
        output.global_embedding,
        output.text,
    )
    sum(part.square().sum() for part in parts).backward()
    still = {name for name, weight in net.named_parameters() if weight.grad is None or not weight.grad.any()}
    # Softmax cancels the bias of a key.
    assert still <= {f"decoder.layers.{layer}.attend_points.key.bias" for layer in range(SMALL.layers)}


def targets(part: torch.Tensor, text: torch.Tensor, negatives: torch.Tensor) -> Targets:
    batch = len(part)
    return Targets(
        part=part, text=text, parts=torch.ones(text.shape[:2], dtype=torch.bool),
        category=torch.zeros(batch, dtype=torch.int64), class_text=torch.zeros(batch, WIDTH),
        classes=torch.zeros(0, WIDTH), negatives=negatives,
        negative_parts=torch.ones(negatives.shape[:2], dtype=torch.bool),
    )  # fmt: skip


def test_the_loss_of_points_is_a_weighted_mean_over_labeled_ones():
    torch.manual_seed(2)
    unit = lambda *shape: torch.nn.functional.normalize(torch.randn(*shape, WIDTH), dim=-1)  # noqa: E731
    text, negatives, points = unit(1, 2), unit(1, 3), 3 * unit(1, 6)
    part = torch.tensor([[0, 0, 0, 1, -1, -1]])
    candidates = torch.cat([text, negatives], dim=1)[0]
    total = weights = 0.0
    for index, label in enumerate(part[0].tolist()):
        if label >= 0:
            scores = points[0, index] @ candidates.T
            weight = {0: 3, 1: 1}[label] ** -0.5
            total += weight * float(scores.logsumexp(0) - scores[label])
            weights += weight
    assert math.isclose(
        float(point_loss(points, targets(part, text, negatives))), total / weights, rel_tol=1e-5
    )


def test_the_loss_of_points_is_zero_without_labels():
    text = torch.zeros(1, 0, WIDTH)
    given = targets(
        torch.full((1, 4), -1), torch.cat([text, torch.ones(1, 1, WIDTH)], 1), torch.zeros(1, 0, WIDTH)
    )
    assert float(point_loss(torch.ones(1, 4, WIDTH), given)) == 0


def test_a_folder_tells_which_kind_of_model_it_holds(tmp_path):
    frozen = AlignParts(
        AlignPartsConfig(d_g=6, d_a=5, d_m=16, d_f=16, d_t=WIDTH, K=4, k=4, heads=2, decoder_heads=2)
    )
    save_model(frozen, tmp_path / "frozen")
    save_model(model(), tmp_path / "learned")
    assert isinstance(load_model(tmp_path / "frozen"), AlignParts)
    again = load_model(tmp_path / "learned")
    assert isinstance(again, LearnedAlignParts)
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs()).partlets, model()(**inputs()).partlets)
    with pytest.raises(AlignPartsError, match="config.json"):
        load_model(tmp_path / "nothing")


def test_inference_reads_normals_and_colors():
    arrays = {name: values[0].numpy() for name, values in inputs(1).items()}
    partlets = forward(model(), arrays)
    assert partlets.mask.shape == (5, 40) and np.isfinite(partlets.embeddings).all()
    with pytest.raises(AlignPartsError, match="'colors' is missing; expected points, normals, colors"):
        forward(model(), {name: arrays[name] for name in ("points", "normals")})


def test_heads_have_to_divide_their_width():
    with pytest.raises(AlignPartsError, match="decoder_heads = 5 does not divide"):
        LearnedConfig(d_t=toy.WIDTH, decoder_heads=5)
