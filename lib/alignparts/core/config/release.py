"""Settings of the release model, profiles/release.yaml."""

from pydantic import Field, PositiveFloat, PositiveInt

from alignparts.core.config.baselines import Find3DSizes
from alignparts.core.config.block import Block
from alignparts.core.config.params import LossParams


class LearnedSizes(Find3DSizes):
    """Sizes of a model with a learned backbone."""

    d_f: PositiveInt
    K: PositiveInt
    decoder_heads: PositiveInt
    layers: PositiveInt


class ReleaseParams(Block):
    """Training of the release model on a stream of shapes."""

    steps: PositiveInt
    batch_size: PositiveInt
    points: tuple[PositiveInt, ...] = Field(min_length=1)
    lr: PositiveFloat
    cooldown: float = Field(ge=0, le=1)
    weight_decay: float = Field(ge=0)
    average: float = Field(ge=0, lt=1)
    real_share: float = Field(ge=0, le=1)
    research: str | None
    name_prompt_rate: float = Field(ge=0, le=1)
    point_weight: float = Field(ge=0)
    unlabeled: int = Field(ge=0)
    field_weight: float = Field(ge=0)
    steady_weight: float = Field(ge=0)
    model: LearnedSizes
    loss: LossParams
