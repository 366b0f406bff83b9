# %% [markdown]
# # Geometry and appearance, a feature for every point
#
# ALIGN-Parts reads two frozen encoders (§3.1): a 3D part field for geometry, $f^g$, and DINOv2 patch
# features of multi-view renders, lifted back to the points, for appearance, $f^a$. Each is a checkpoint
# named in `params.yaml`. With `checkpoint: null`, as here, a small one *of the same class* is trained on
# training shapes only: PartField's architecture with a contrastive loss on part masks, and DINOv2 with
# self-distillation on renders.

# %% tags=["parameters"]
smoke = True          # the notebook's own default: seconds on a laptop; the pipeline passes False
params = None         # every block of params.yaml, given by the pipeline

# %%
import matplotlib.pyplot as plt
import numpy as np

from alignparts.corpus.index import Corpus
from alignparts.corpus.sampling import sample_surface, seed_of
from alignparts.features import pipeline
from alignparts.features.extract import Encoders, extract_corpus
from alignparts.features.store import FeatureStore
from alignparts.ontology import Vocabulary
from alignparts.render import render_views
from alignparts.run import start

run = start("features", params=params, smoke=smoke)
corpus = Corpus(run.data / "corpus")
vocabulary = Vocabulary.load(run.data / "ontology" / "vocabulary.json")
train_ids = corpus.ids(split="train")
print("training shapes:", len(train_ids))

# %% [markdown]
# ## Renders by ray casting
#
# Eight views with texture look-up and fixed lights; every pixel knows its face, which is what tells later
# whether a point was seen.
