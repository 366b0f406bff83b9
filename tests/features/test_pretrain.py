"""The encoders that the pipeline trains: side by side they become what they are one after the other."""

import smoke
import torch

from alignparts.corpus.index import Corpus
from alignparts.corpus.sources import build_corpus
from alignparts.features.pretrain import both_encoders


def test_encoders_trained_side_by_side_are_the_same(tmp_path):
    corpus = {"embedded": {"shapes_per_category": 1, "heldout_shapes": 1}, "test_per_category": 1}
    one, two = (smoke.params(corpus=corpus, base={"workers": count}) for count in (1, 2))
    build_corpus(one.corpus, one.base, tmp_path)
    shapes = Corpus(tmp_path / "corpus")
    for (alone, losses), (beside, same) in zip(
        both_encoders(shapes, one, tmp_path / "alone"),
        both_encoders(shapes, two, tmp_path / "beside"),
        strict=True,
    ):
        assert losses == same
        for name, value in alone.state_dict().items():
            assert torch.equal(value, beside.state_dict()[name]), name
    for name in ("geometry", "appearance"):
        weights = [(tmp_path / top / name / "model.safetensors").read_bytes() for top in ("alone", "beside")]
        assert weights[0] == weights[1]
