"""params.yaml: what is accepted, and what the error says when it is not."""

import pytest
import yaml

from alignparts import paths
from alignparts.config import SMOKE, load_params, parse_params
from alignparts.errors import AlignPartsError


def test_shipped_params_are_valid_and_smoke_is_smaller():
    params = load_params(paths.ROOT / "params.yaml")
    smoke = parse_params(SMOKE)
    assert smoke.corpus.shapes_per_category < params.corpus.shapes_per_category
    assert smoke.train.epochs < params.train.epochs
    assert smoke.corpus.heldout == params.corpus.heldout


@pytest.mark.parametrize(
    ("blocks", "needles"),
    [
        ({"trian": {}}, ["unknown key 'trian'", "train"]),
        ({"train": {"epohcs": 3}}, ["train.epohcs", "epochs"]),
        ({"train": {"epochs": "many"}}, ["train.epochs", "many"]),
        ({"train": {"loss": {"txt": 1.0}}}, ["train.loss.txt", "text"]),
        ({"corpus": {"dialects": {"partnet": 0.9}}}, ["corpus", "add up to 1"]),
        ({"evaluate": {"confidence": 1.5}}, ["evaluate.confidence", "1.5"]),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, blocks, needles):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(blocks))
    with pytest.raises(AlignPartsError) as caught:
        load_params(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for needle in needles:
        assert needle in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [1\n"])
def test_not_a_mapping(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(AlignPartsError, match="expected a mapping|not valid YAML"):
        load_params(path)
    with pytest.raises(AlignPartsError, match="no such file"):
        load_params(tmp_path / "absent.yaml")


def test_params_are_frozen():
    params = parse_params({})
    with pytest.raises(ValueError):
        params.train.epochs = 3  # type: ignore[misc]
