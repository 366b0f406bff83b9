"""The card of a saved model says what it is."""

from dataclasses import dataclass

import torch

from alignparts.core.checkpoint import PretrainedModel, save_model


@dataclass(frozen=True)
class Config:
    """Size."""

    width: int = 3


class Scale(PretrainedModel):
    """Multiplies numbers.

    Nothing of this.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.layer = torch.nn.Linear(config.width, 1000)


def test_a_card_says_what_the_model_is_and_how_to_load_it(tmp_path):
    for name in ("one", "two"):
        save_model(Scale(Config(4)), tmp_path / name)
    card = (tmp_path / "one" / "README.md").read_text()
    assert card == (tmp_path / "two" / "README.md").read_text()
    for line in ("# Scale", "Multiplies numbers.", f"from {__name__} import Scale", "| width | 4 |"):
        assert f"\n{line}\n" in card, card
    assert "with 5,000 weights" in card and "library_name: alignparts" in card
    assert "More Information Needed" not in card and "Nothing of this" not in card
