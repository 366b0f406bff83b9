"""Settings: params.yaml as frozen pydantic models, validated to the last key."""

from alignparts.core.config.params import (
    CorpusParams,
    FeatureParams,
    OntologyParams,
    Params,
    TrainParams,
    load_params,
    parse_params,
    restricted,
)

__all__ = [
    "CorpusParams",
    "FeatureParams",
    "OntologyParams",
    "Params",
    "TrainParams",
    "load_params",
    "parse_params",
    "restricted",
]
