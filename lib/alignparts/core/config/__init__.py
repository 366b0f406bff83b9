"""Settings: params.yaml as frozen pydantic models, validated to the last key."""

from alignparts.core.config.loading import load_params, parse_params, restricted
from alignparts.core.config.params import Params, TrainParams

__all__ = ["Params", "TrainParams", "load_params", "parse_params", "restricted"]
