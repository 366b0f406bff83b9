"""Blocks of the trained baselines: PartField+MPNet (section 12.1) and Find3D."""

from pydantic import Field

from alignparts.core.config.block import Block


class PartFieldMPNetSizes(Block):
    """Sizes of the network that the data do not fix; `PartFieldMPNetConfig` has the paper's."""

    hidden: int = Field(ge=1)
    latent: int = Field(ge=1)
    heads: int = Field(ge=1)
    max_parts: int = Field(ge=1)


class PartFieldMPNetParams(Block):
    """Optimization (section 12.1).

    The paper trains 100 epochs at a rate of 3e-4, on twenty times as many shapes as the embedded corpus has:
    the default rate is higher instead. It is silent on points, draws and prompts.
    """

    points: int = Field(ge=1)
    draws: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    lr_min: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    dropout: float = Field(ge=0, lt=1)
    tau: float = Field(gt=0)
    name_prompt_rate: float = Field(ge=0, le=1)
    model: PartFieldMPNetSizes


class Find3DSizes(Block):
    """Sizes of the backbone that the data do not fix; `Find3DConfig` has those that Find3D publishes."""

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    up_channels: tuple[int, ...]
    up_depths: tuple[int, ...]
    patch: int = Field(ge=1)
    grid: float = Field(gt=0)


class Find3DParams(Block):
    """Optimization. Find3D has a hundred times as many shapes: the default is what a CPU does in a minute.

    ``kept`` points of every shape stay in memory, of which every epoch draws ``points``.
    """

    points: int = Field(ge=1)
    kept: int = Field(ge=1)
    epochs: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    lr: float = Field(gt=0)
    lr_min: float = Field(ge=0)
    weight_decay: float = Field(ge=0)
    name_prompt_rate: float = Field(ge=0, le=1)
    tau: float = Field(gt=0)
    model: Find3DSizes
