"""Settings of PartField+MPNet (section 12.1)."""

from pydantic import Field

from alignparts.core.block import Block


class PartFieldMPNetSizes(Block):
    """Sizes of the network that the data do not fix; `PartFieldMPNetConfig` has the paper's."""

    hidden: int = Field(128, ge=1)
    latent: int = Field(64, ge=1)
    heads: int = Field(4, ge=1)
    max_parts: int = Field(20, ge=1)


class PartFieldMPNetParams(Block):
    """Optimization (section 12.1).

    The paper trains 100 epochs at a rate of 3e-4, on twenty times as many shapes as the embedded corpus has:
    the default rate is higher instead. It is silent on points, draws and prompts.
    """

    points: int = Field(384, ge=1)
    draws: int = Field(4, ge=1)
    epochs: int = Field(50, ge=1)
    batch_size: int = Field(64, ge=1)
    lr: float = Field(1e-3, gt=0)
    lr_min: float = Field(5e-6, ge=0)
    weight_decay: float = Field(1e-5, ge=0)
    dropout: float = Field(0.1, ge=0, lt=1)
    tau: float = Field(0.07, gt=0)
    name_prompt_rate: float = Field(0.5, ge=0, le=1)
    model: PartFieldMPNetSizes = PartFieldMPNetSizes()
