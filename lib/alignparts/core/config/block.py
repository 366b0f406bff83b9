"""What every block of params.yaml is."""

from pydantic import BaseModel, ConfigDict


class Block(BaseModel):
    """A block of params.yaml: frozen, and closed to keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
