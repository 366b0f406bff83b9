"""Table 1: methods made by hand, of which one knows what they can do."""

import numpy as np
import toy

from alignparts.core.errors import AlignPartsError
from alignparts.evaluation.baselines.partfield_clustering import PartFieldClustering
from alignparts.evaluation.experiments.table1 import probe, table1
from alignparts.evaluation.ground_truth import Labeled
from alignparts.evaluation.methods import Entrant
from alignparts.naming.prediction import Prediction


def labeled(index: int, category: str = "chair") -> Labeled:
    arrays, meta = toy.shape(category, index)
    names = list(meta["part_names"])
    return Labeled(f"s{index}", "partnet", category, arrays, arrays["part"].astype(np.int64), names, names)


SHAPES = [labeled(0), labeled(1)]


class Able:
    """Has every property: names a point by its height."""

    label = "Able"

    def predict(self, arrays, given):
        names = list(given.names or ["low", "high"])
        part = (arrays["points"][:, 1] > 0).astype(np.int64)
        return Prediction.of_names(part, names, vectors=np.eye(2))


class Asked(Able):
    """Needs names, leaves points out, has no vector a part, knows its own names only."""

    label = "Asked"

    def predict(self, arrays, given):
        if given.names is None:
            raise AlignPartsError("names, please")
        found = super().predict(arrays, given)
        return Prediction.of_names(found.point_part, ["low", "high"])


class ByOrder(Able):
    """Cuts a shape by the order of its points, and leaves some of them out."""

    label = "ByOrder"

    def predict(self, arrays, given):
        part = np.arange(len(arrays["points"])) * 3 // len(arrays["points"])
        return Prediction.unnamed(part.astype(np.int64) - 1)


def marks(entrant):
    return {one.metric: one.value for one in probe(entrant, SHAPES)}


def test_a_method_that_can_do_everything():
    assert set(marks(Entrant(Able())).values()) == {"yes"}


def test_every_property_can_be_missed():
    asked = marks(Entrant(Asked(), ("names",)))
    assert (
        asked.pop("permutation invariant") == asked.pop("named parts") == asked.pop("feed-forward") == "yes"
    )
    assert set(asked.values()) == {"no"}
    order = marks(Entrant(ByOrder()))
    assert order.pop("feed-forward") == "yes" and set(order.values()) == {"no"}


def test_clustering_is_no_forward_pass_and_has_no_names():
    found = table1([Entrant(PartFieldClustering(), ("parts",))], SHAPES).set_index("metric")
    assert found.value["feed-forward"] == "no" and "kmeans" in found.seen["feed-forward"]
    assert found.value["complete decomposition"] == "yes"
    assert (found.value[["named parts", "open vocabulary", "part-level features"]] == "no").all()
    assert set(found.method) == {"PartField"}
