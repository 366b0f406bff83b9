"""params.yaml: keys and values that are accepted, and the message for others."""

import pytest
import smoke
import yaml

from alignparts.core import paths
from alignparts.core.config import load_params, parse_params, restricted
from alignparts.core.config.loading import load_block
from alignparts.core.config.release import ReleaseParams
from alignparts.core.errors import AlignPartsError
from alignparts.core.run import params_of_stage, start
from alignparts.features.partfield import PartFieldConfig
from alignparts.model.alignparts import AlignPartsConfig


def keys(path):
    def walk(block):
        return {key: walk(inner) for key, inner in block.items()} if isinstance(block, dict) else None

    blocks = yaml.safe_load(path.read_text())
    return walk({key: value for key, value in blocks.items() if key not in ("ablation", "ablations")})


def test_profiles_are_valid_and_have_the_keys_of_params():
    profiles = sorted(paths.PROFILES.glob("*.yaml"))
    assert [path.stem for path in profiles] == ["gpu", "paper", "real", "release", "smoke"]
    release = profiles.pop(3)
    assert load_block(release, ReleaseParams).steps
    with pytest.raises(AlignPartsError, match="release.yaml: unknown key 'steps'"):
        load_params(release)
    for path in profiles:
        load_params(path)
        assert keys(path) == keys(paths.PARAMS)
    params, smoke = load_params(), load_params(paths.PROFILES / "smoke.yaml")
    assert smoke.corpus.embedded.shapes_per_category < params.corpus.embedded.shapes_per_category
    assert smoke.corpus.heldout == params.corpus.heldout


def test_the_paper_profile_is_the_papers_model():
    paper = load_params(paths.PROFILES / "paper.yaml").train
    widths = {"d_g": PartFieldConfig().part_channels, "d_a": 768, "d_t": 768}
    assert AlignPartsConfig(**widths, **paper.model.model_dump()) == AlignPartsConfig()
    # Section 3.2 and its supplement.
    assert paper.loss.model_dump(by_alias=True) == {
        "mask": 1.0, "part": 0.5, "text": 1.0, "cov": 0.5, "overlap": 0.1, "global": 1.0, "tau": 0.07,
    }  # fmt: skip


def test_no_setting_has_a_value_outside_the_settings_files():
    """A key that params.yaml states and a profile leaves out is an error, never a default."""

    def leaves(block, *path):
        if isinstance(block, dict) and path not in (
            ("corpus", "embedded", "dialects"),
            ("ablation", "train"),
        ):
            for key, inner in block.items():
                yield from leaves(inner, *path, key)
        else:
            yield path

    shipped = yaml.safe_load(paths.PARAMS.read_text())
    for path in leaves({key: value for key, value in shipped.items() if key != "ablations"}):
        blocks = yaml.safe_load(paths.PARAMS.read_text())
        block = blocks
        for key in path[:-1]:
            block = block[key]
        del block[path[-1]]
        with pytest.raises(AlignPartsError, match=f"key '{'.'.join(path)}' is missing"):
            parse_params(blocks)


@pytest.mark.parametrize(
    ("blocks", "needles"),
    [
        ({"trian": {}}, ["unknown key 'trian'", "train"]),
        ({"train": {"epohcs": 3}}, ["train.epohcs", "epochs"]),
        ({"train": {"epochs": "many"}}, ["train.epochs", "many"]),
        ({"train": {"loss": {"txt": 1.0}}}, ["train.loss.txt", "text"]),
        ({"corpus": {"embedded": {"dialects": {"partnet": 0.9}}}}, ["corpus", "add up to 1"]),
        ({"evaluate": {"confidence": 1.5}}, ["evaluate.confidence", "1.5"]),
        ({"ablation": {"rows": ["nobody"]}}, ["'nobody', which ablations lacks", "full"]),
        ({"ablation": {"train": {"epohcs": 1}}}, ["ablation.train.epohcs", "epochs"]),
        (
            {"ablations": {"full": {"label": "x", "modle": {}}}},
            ["ablations.full.modle", "known keys", "model"],
        ),
        ({"ablations": {"full": {"label": "x", "model": {"KK": 1}}}}, ["ablations.full.model.KK", "d_m"]),
        ({"ablations": {"full": {"label": "x", "loss": {"txt": 1}}}}, ["ablations.full.loss.txt", "text"]),
        ({"ablations": {"full": {"label": "x", "train": {"lr": -1}}}}, ["ablations.full.lr", "-1"]),
    ],
)
def test_a_wrong_key_or_value_is_named(tmp_path, blocks, needles):
    path = tmp_path / "params.yaml"
    rows = {"rows": ["full"], "curves": []} if "ablations" in blocks else {}
    changed = smoke.blocks(**{"ablation": rows, **blocks})
    path.write_text(yaml.safe_dump(changed))
    with pytest.raises(AlignPartsError) as caught:
        load_params(path)
    message = str(caught.value)
    assert "\n" not in message
    for needle in (str(path), *needles):
        assert needle in message


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "a: [1\n"])
def test_not_a_mapping(tmp_path, text):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(AlignPartsError, match="expected a mapping|not valid YAML"):
        load_params(path)
    with pytest.raises(AlignPartsError, match="no such file"):
        load_params(tmp_path / "absent.yaml")


def test_params_are_frozen_and_a_stage_sees_only_what_dvc_lists():
    params = smoke.params()
    with pytest.raises(ValueError, match="frozen"):
        params.train.epochs = 3
    shown = restricted(params, ["base", "corpus.points"])
    assert (shown.base, shown.corpus.points) == (params.base, params.corpus.points)
    for read in (lambda: shown.train, lambda: shown.corpus.heldout):
        with pytest.raises(AttributeError):
            read()
    assert "ablations" in params_of_stage("ablations") and params_of_stage("none") == []
    with pytest.raises(AttributeError):
        _ = start("corpus", "smoke").params.train
