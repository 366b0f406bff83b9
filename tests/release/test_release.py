"""Training of the release model: resumed to the byte, extended, packed into a folder that names a mesh."""

import hashlib
from dataclasses import replace
from string import Template

import numpy as np
import pytest
import torch
import trimesh
from test_stream import HELDOUT, vocabulary
from test_unlabeled import unlabeled
from toy import WIDTH, encode

from alignparts.core import paths
from alignparts.core.config.loading import load_block
from alignparts.core.config.release import ReleaseParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.trainer import STATE
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.shape import LabeledShape
from alignparts.model.backbone.learned import LearnedAlignParts
from alignparts.model.dataset import stacked
from alignparts.model.losses import alignment_losses
from alignparts.model.texts import TextTable
from alignparts.naming.confidence import Calibration
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.ontology.text import StoredTexts, TextEncoder
from alignparts.ontology.vocabulary import Alias, CategoryEntry, Vocabulary
from alignparts.release import train
from alignparts.release.pack import TEMPLATE, pack, texts_of
from alignparts.release.stream import Stream
from alignparts.release.unlabeled import DRAWS
from procparts import generate

SIZES = {
    "channels": (16, 32), "depths": (1, 1), "up_channels": (16,), "up_depths": (1,), "patch": 8, "grid": 0.3,
    "d_f": 16, "K": 5, "decoder_heads": 2, "layers": 1,
}  # fmt: skip

LAMP = LabeledShape("a", "named", "lamp", "", "", [], surface_of(generate("lamp", np.random.default_rng(0))))


def params(**changes) -> ReleaseParams:
    shipped = load_block(paths.PROFILES / "release.yaml", ReleaseParams).model_dump(by_alias=True)
    small = {"steps": 6, "batch_size": 4, "points": (24, 32), "model": SIZES, "unlabeled": 0}
    return ReleaseParams.model_validate(shipped | small | changes)


@pytest.fixture
def table(monkeypatch) -> TextTable:
    monkeypatch.setattr(train, "EPOCH", 2)
    monkeypatch.setattr(train, "VALIDATION", 4)
    return TextTable(vocabulary(), encode)


def weights(folder) -> dict[str, torch.Tensor]:
    return LearnedAlignParts.from_pretrained(folder).state_dict()


def fit(table, out, shapes=None, **changes):
    return train.train_release(table, params(**changes), out, heldout=HELDOUT, unlabeled=shapes, device="cpu")


@pytest.mark.parametrize("count", [0, 2])
def test_a_run_that_stopped_and_went_on_ends_as_one_that_never_stopped(table, tmp_path, count):
    asked = {"shapes": unlabeled(tmp_path) if count else None, "unlabeled": count, "cooldown": 0.0}
    whole = fit(table, tmp_path / "whole", **asked)
    fit(table, tmp_path / "parts", steps=2, **asked)
    resumed = fit(table, tmp_path / "parts", **asked)
    assert whole.history == resumed.history and len(whole.history) == 3
    other = weights(tmp_path / "parts")
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, other[name]), name
    rows = (tmp_path / "whole" / train.HISTORY).read_text().splitlines()
    assert rows[0].endswith(",step") and rows[-1].endswith(",6")
    assert (tmp_path / "whole" / STATE).is_file()


def test_unlabeled_shapes_take_part_in_the_field_and_in_steadiness_alone(table, tmp_path):
    shapes = unlabeled(tmp_path)
    asked = {"steps": 2, "cooldown": 0.0, "steady_weight": 0.0}
    without = fit(table, tmp_path / "without", field_weight=0.0, **asked)
    silent = fit(table, tmp_path / "silent", shapes, field_weight=0.0, unlabeled=2, **asked)
    assert "train/field" not in silent.history[0]
    assert silent.history[0].pop("train/steady") > 0
    assert silent.history[0] == pytest.approx(without.history[0], rel=1e-4)
    other = weights(tmp_path / "silent")
    for name, value in weights(tmp_path / "without").items():
        assert torch.allclose(value, other[name], atol=1e-6), name
    named = fit(table, tmp_path / "named", field_weight=1.0, **asked)
    both = fit(table, tmp_path / "both", shapes, field_weight=1.0, unlabeled=2, **asked)
    assert named.history[0]["train/field"] > 0 and both.history[0]["train/field"] > 0
    assert not torch.equal(
        weights(tmp_path / "named")["fuse.1.weight"], weights(tmp_path / "both")["fuse.1.weight"]
    )


def test_steadiness_is_the_divergence_of_pairs_and_zero_between_twins():
    torch.manual_seed(0)
    drawn, classes, tau = torch.randn(4, 8), torch.randn(5, 8), 0.1
    unit = torch.nn.functional.normalize
    p = (unit(drawn, dim=1) @ unit(classes, dim=1).T / tau).softmax(1)
    middle = (p[::2] + p[1::2]) / 2
    wanted = sum((half * (half / middle).log()).sum(1).mean() for half in (p[::2], p[1::2])) / 2
    assert train.steady_loss(drawn, classes, tau).item() == pytest.approx(wanted.item(), rel=1e-4)
    twins = drawn[::2].repeat_interleave(2, dim=0)
    assert train.steady_loss(twins, classes, tau).item() == pytest.approx(0, abs=1e-6)


def test_named_losses_give_no_gradient_to_unlabeled_rows(table, tmp_path):
    torch.manual_seed(0)
    model = LearnedAlignParts(train.LearnedConfig(d_t=WIDTH, **SIZES))
    shapes = [Stream(table, HELDOUT).shape(number, 32) for number in range(2)]
    others = [unlabeled(tmp_path).shape(0, 32)]
    inputs, targets = train.tensors(shapes, torch.device("cpu"), others)
    output = model(**inputs)
    read = (output.partlets, output.mask_logits, output.partness, output.global_embedding, output.fused)
    for value in read:
        value.retain_grad()
    alignment_losses(output.first(2), targets, params().loss)["total"].backward(retain_graph=True)
    for value in read[:4]:
        assert value.grad[:2].abs().sum() > 0 and not value.grad[2:].any()
    before = output.fused.grad.clone()
    assert before[:2].any() and not before[2:].any()
    part = stacked([*shapes, *others], "part")
    train.field_loss(output.fused, part).backward()
    assert output.fused.grad[2:].any() and not output.partlets.grad[2:].any()


def test_the_kept_weights_are_an_average_that_lags_behind(table, tmp_path):
    torch.manual_seed(0)
    config = train.LearnedConfig(d_t=WIDTH, **SIZES)
    both = train.Averaged(LearnedAlignParts(config), LearnedAlignParts(config))
    name = "decoder.partlets"
    start = both.model.get_parameter(name).detach().clone()
    assert torch.equal(both.average.get_parameter(name), start)
    with torch.no_grad():
        both.model.get_parameter(name).add_(1.0)
    both.update(10**6, 0.75)
    assert torch.allclose(both.average.get_parameter(name), start + 0.25)
    both.update(0, 0.75)  # early on nearly all is taken
    assert torch.allclose(both.average.get_parameter(name), start + 1 - 0.75 / 20)


def test_the_rate_rises_stays_and_falls_to_nothing():
    asked = params(steps=10_000, cooldown=0.2, lr=1e-3)
    rates = [train.rate(step, asked) for step in range(10_000)]
    assert rates[0] == pytest.approx(1e-3 / train.WARMUP) and rates[train.WARMUP] == rates[7_999] == 1e-3
    assert np.all(np.diff(rates[8_000:]) < 0) and rates[-1] < 1e-6


def test_a_batch_has_to_divide_among_the_processes(table, tmp_path, monkeypatch):
    class Three:
        device, process_index, num_processes = torch.device("cpu"), 0, 3

    monkeypatch.setattr(train, "accelerator", lambda device: Three())
    with pytest.raises(AlignPartsError, match="release.batch_size: 4; expected a multiple of 3"):
        fit(table, tmp_path)
    with pytest.raises(AlignPartsError, match="release.unlabeled: 3; expected a multiple of 6"):
        fit(table, tmp_path, batch_size=3, unlabeled=3)
    with pytest.raises(AlignPartsError, match="no unlabeled shapes are given; expected 0"):
        fit(table, tmp_path, batch_size=3, unlabeled=6)


def test_the_shipped_settings_suit_the_two_processes_of_make_release():
    shipped = load_block(paths.PROFILES / "release.yaml", ReleaseParams)
    assert "--nproc_per_node 2" in (paths.ROOT / "Makefile").read_text()
    assert shipped.batch_size % 2 == 0 and shipped.unlabeled % (2 * DRAWS) == 0


def test_a_packed_model_names_a_mesh_without_a_text_encoder(table, tmp_path, monkeypatch):
    fit(table, tmp_path / "model")
    vocabulary().save(tmp_path / "model" / "vocabulary.json")
    calibration = Calibration(tau=0.5)
    keys = [key for key in Template(TEMPLATE.read_text()).get_identifiers() if key != "weights"]
    pack(
        tmp_path / "model", tmp_path / "packed", encode, "a-text-encoder", points=64, calibration=calibration,
        about={key: f"<{key}>" for key in keys},
    )  # fmt: skip
    card = (tmp_path / "packed" / "README.md").read_text()
    assert all(f"<{key}>" in card for key in keys) and "$" not in card
    monkeypatch.setattr(TextEncoder, "from_name", lambda *_: pytest.fail("a text encoder was loaded"))
    pipeline = NamedPartsPipeline.from_pretrained(tmp_path / "packed")
    assert pipeline.calibration == calibration and pipeline.manifest.points == 64
    mesh = trimesh.util.concatenate([
        trimesh.creation.box((1, 0.1, 1)), trimesh.creation.cylinder(0.1, 1, transform=np.eye(4))
    ])  # fmt: skip
    mesh.export(tmp_path / "mesh.glb")
    named = pipeline.name(tmp_path / "mesh.glb")
    assert named.prediction.category in vocabulary().categories
    assert (named.face_part >= 0).all()
    for line in (tmp_path / "packed" / "SHA256SUMS").read_text().splitlines():
        value, name = line.split()
        assert hashlib.sha256((tmp_path / "packed" / name).read_bytes()).hexdigest() == value


def test_stored_texts_are_the_encoders_and_others_are_encoded(tmp_path, monkeypatch):
    texts = texts_of(vocabulary())
    StoredTexts.save(tmp_path / "texts", texts, encode, "one")
    stored = StoredTexts(tmp_path / "texts", "one")
    assert np.allclose(stored.encode(texts), encode(texts), atol=1e-3)
    assert np.allclose(np.linalg.norm(stored.encode(texts), axis=1), 1, atol=1e-6)

    class Encoder(TextEncoder):
        def __init__(self) -> None:
            self.encode = encode

    asked: list[str] = []
    monkeypatch.setattr(TextEncoder, "from_name", lambda name, device: asked.append(name) or Encoder())
    both = stored.encode(["something new", texts[0], "something new"])
    assert asked == ["one"] and np.allclose(
        both, encode(["something new", texts[0], "something new"]), atol=1e-3
    )
    (tmp_path / "broken").write_bytes(b"no tensors")
    with pytest.raises(AlignPartsError, match="expected stored embeddings"):
        StoredTexts(tmp_path / "broken", "one")
    with pytest.raises(AlignPartsError, match="embeddings of one, not of two"):
        StoredTexts(tmp_path / "texts", "two")


def test_held_out_categories_are_left_out_under_all_their_names():
    alias = Alias(dataset="compat", category="Ewer", count=1)
    jug = CategoryEntry(description="", count=1, aliases=(alias,), parts={})
    shapes = [replace(LAMP, category=name) for name in ("lamp", "jug", "Ewer", "spaceship")]
    left = train.but_heldout(shapes, Vocabulary(entries=vocabulary().entries | {"jug": jug}), ["jug"])
    assert [shape.category for shape in left] == ["lamp", "spaceship"]


def test_research_only_shapes_have_a_folder_of_their_own(tmp_path):
    assert train.folder_of(tmp_path, params()) != train.folder_of(tmp_path, params(research="research"))
