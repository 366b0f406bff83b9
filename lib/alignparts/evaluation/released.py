"""The release model among the methods of Tables 1 to 3."""

from alignparts.core import paths
from alignparts.evaluation.baselines.ours import Ours
from alignparts.evaluation.methods import LEARNED, Entrant
from alignparts.model.backbone.learned import load_model
from alignparts.model.stage import Stage
from alignparts.naming.pipeline import read_manifest
from alignparts.ontology.vocabulary import Vocabulary


def released(stage: Stage, vocabulary: Vocabulary | None = None) -> list[Entrant]:
    """Return the release model by Eq. 22 and with mesh-aware labels, with the stage's vocabulary by default.

    There is none where params.yaml names another text encoder than it was trained with.
    """
    if read_manifest(paths.RELEASE).text_encoder != stage.params.ontology.text_encoder:
        return []
    plain = Ours(load_model(paths.RELEASE), stage.encode, vocabulary or stage.vocabulary, backbone=LEARNED)
    return [Entrant(method, finds_category=True) for method in (plain, plain.by("patches"))]
