# %% [markdown]
# # Geometry and appearance, a feature for every point
#
# ALIGN-Parts reads two frozen encoders (§3.1): a 3D part field for geometry, $f^g$, and DINOv2 patch
# features of multi-view renders, lifted back to the points, for appearance, $f^a$. Each is a checkpoint
# named in `params.yaml`. With `checkpoint: null`, as in the embedded default, a small one *of the same
# class* is trained on training shapes only: PartField's architecture with a contrastive loss on part masks,
# and DINOv2 with self-distillation on renders (`dvc repro encoders`).

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from alignparts.core.run import start
from alignparts.corpus.index import Corpus
from alignparts.corpus.mesh.render import render_views
from alignparts.features import pretrain
from alignparts.features.extract import Encoders, extract_corpus
from alignparts.ontology.vocabulary import Vocabulary

run = start("features", profile)
corpus = Corpus(run.data / "corpus")
vocabulary = Vocabulary.load(run.data / "ontology" / "vocabulary.json")
print("training shapes:", len(corpus.ids(split="train")))

# %% [markdown]
# ## Renders by ray casting
#
# Texture look-up, fixed lights, and the face under every pixel, which tells later whether a point was seen.
# Clouds without a mesh (Find3D's benchmark) are drawn as one small oriented square per point.

# %% tags=["nbval-ignore-output"]
with_mesh = corpus.index[(corpus.index.split == "train") & (corpus.index.faces > 0)]
shape_id = with_mesh.sort_values("dataset", kind="stable").shape_id.iloc[0]
surface = corpus.load(shape_id).surface
views = render_views(surface, run.params.features.views, run.params.features.resolution)
print("views:", views.color.shape)
assert (views.face >= 0).mean() > 0.01, "the shape fills more than a hundredth of the pixels"
figure, axes = plt.subplots(1, len(views), figsize=(2 * len(views), 2))
for axis, picture in zip(axes, views.color, strict=True):
    axis.imshow(picture)
    axis.axis("off")
run.figure(figure, "views")
plt.show()

# %% [markdown]
# ## Geometry: a part field
#
# Pairs of points of one part instance are pulled together, points of other instances pushed away. The loss is
# in nats; a field that knows nothing stays near the logarithm of the number of negatives.
#
# ## Appearance: self-distilled renders
#
# A student that sees crops must agree with its own moving average that sees the whole picture, and must
# guess the patches hidden from it.

# %%
losses = pretrain.histories(corpus, run.params, run.models)
encoders = Encoders.from_params(run.params.features, run.models)
print("d_g:", encoders.geometry.d_g, "| d_a:", encoders.appearance.d_a)
print("input points:", encoders.geometry.config.input_points)

# %% tags=["nbval-ignore-output"]
curves = {"part field": losses["geometry"].rename(columns={"total": "contrastive loss"})}
curves["appearance"] = losses["appearance"]
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
for axis, (title, rows) in zip(axes, curves.items(), strict=True):
    axis.set(title=title if len(rows) else f"{title}: a checkpoint, not trained here", xlabel="step")
    if len(rows):
        rows.plot(ax=axis, lw=0.7, xlabel="step")
run.figure(figure, "encoder_curves")
plt.show()

# %% [markdown]
# ## Every shape, once
#
# Features go to a store of shards; a shape that is in it is not done again.

# %%
store = extract_corpus(corpus, vocabulary, encoders, run.params, run.data / "features")
arrays, meta = store.load(shape_id)
print("shapes in the store:", len(store))
print({name: array.shape for name, array in arrays.items()})
assert len(store) == len(corpus)
assert all(np.isfinite(array).all() for array in arrays.values())

# %% [markdown]
# The first three principal components of both features as colors: what is one color is one thing
# to the encoder.

# %% tags=["nbval-ignore-output"]
colors = {"colors": arrays["colors"]}
for name in ("geometry", "appearance"):
    components = PCA(3, svd_solver="full").fit_transform(arrays[name].astype(np.float32))
    low, high = np.percentile(components, [2, 98], axis=0)
    colors[name] = np.clip((components - low) / np.maximum(high - low, 1e-6), 0, 1)
x, y, z = arrays["points"].T
figure, axes = plt.subplots(1, 3, figsize=(12, 4), subplot_kw={"projection": "3d"})
for axis, (name, color) in zip(axes, colors.items(), strict=True):
    axis.scatter(x, -z, y, c=color, s=2)
    axis.set(title=name, box_aspect=(1, 1, 1))
    axis.set_axis_off()
run.figure(figure, "features")
plt.show()

# %% [markdown]
# Points that no view sees have no appearance; there are few.

# %%
seen = [store.meta(one)["seen"] for one in store.ids()]
run.metrics(
    {
        "shapes": len(store),
        "d_g": encoders.geometry.d_g,
        "d_a": encoders.appearance.d_a,
        "points_seen_in_a_view": round(float(np.mean(seen)), 4),
    }
)
