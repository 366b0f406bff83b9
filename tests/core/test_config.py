"""params.yaml: what is accepted, and what the error says when it is not."""

import pytest
import yaml

from alignparts.core import paths
from alignparts.core.config import SMOKE, load_params, parse_params
from alignparts.core.errors import AlignPartsError
from alignparts.features.partfield import PartFieldConfig
from alignparts.model.alignparts import AlignPartsConfig
from alignparts.model.losses import TAU, WEIGHTS
from alignparts.model.train import loss_weights


def test_shipped_params_are_valid_and_smoke_is_smaller():
    params = load_params(paths.ROOT / "params.yaml")
    smoke = parse_params(SMOKE)
    assert smoke.corpus.shapes_per_category < params.corpus.shapes_per_category
    assert smoke.train.epochs < params.train.epochs
    assert smoke.corpus.heldout == params.corpus.heldout


def test_profiles_have_the_keys_of_params_and_the_papers_sizes():
    def keys(path):
        def walk(block):
            return {key: walk(inner) for key, inner in block.items()} if isinstance(block, dict) else None

        return walk(yaml.safe_load(path.read_text()))

    shipped = keys(paths.ROOT / "params.yaml")
    profiles = sorted((paths.ROOT / "profiles").glob("*.yaml"))
    assert [path.stem for path in profiles] == ["gpu", "paper"]
    for path in profiles:
        load_params(path)
        assert keys(path) == shipped
    paper = load_params(paths.ROOT / "profiles" / "paper.yaml")
    widths = {"d_g": PartFieldConfig().part_channels, "d_a": 768, "d_t": 768}
    assert AlignPartsConfig(**widths, **paper.train.model.model_dump()) == AlignPartsConfig()
    assert loss_weights(paper.train) == WEIGHTS and paper.train.loss.tau == TAU


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
