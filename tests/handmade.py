"""A model whose forward pass tests write by hand."""

from alignparts.model.alignparts import AlignParts, AlignPartsConfig


class HandMadeModel(AlignParts):
    """A tiny ALIGN-Parts that reads geometry of width 3 and appearance of width 2."""

    def __init__(self):
        super().__init__(
            AlignPartsConfig(d_g=3, d_a=2, d_m=2, d_f=2, d_t=4, K=2, k=2, heads=1, decoder_heads=1, layers=1)
        )
