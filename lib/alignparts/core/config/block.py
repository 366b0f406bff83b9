"""Base class of the blocks of params.yaml."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Block(BaseModel):
    """Block of params.yaml: frozen, and closed to unknown keys."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in values if isinstance(values, dict) else ():
            if key not in known:
                context = {"key": str(key), "known": ", ".join(known)}
                raise PydanticCustomError("unknown_key", "unknown key '{key}'; expected {known}", context)
        return values
