# %% [markdown]
# # Real shapes that anybody can get
#
# The embedded corpus is procedural, and what a model does on procedural shapes says little about real ones.
# `data/open/manifest.csv` lists real shapes of public repositories under open licenses, each pinned by commit
# and checksum, with a map from the names of its nodes or materials to part names that was checked on a
# picture. `alignparts fetch open` brings the files; this chapter measures the trained model on them. Nothing
# was trained, tuned or chosen on the shapes of the test part.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
from functools import partial

import numpy as np
import pandas as pd
from IPython.display import display

from alignparts.core import paths
from alignparts.core.run import start
from alignparts.corpus import open_set, readers, sources
from alignparts.corpus.embedded import write_open_like
from alignparts.corpus.mesh.perturb import shelled
from alignparts.corpus.splits import write_lists
from alignparts.evaluation import tables
from alignparts.evaluation.experiments import steadiness
from alignparts.evaluation.folder import entrants, evaluate_located, label_shape, locate
from alignparts.evaluation.intervals import interval
from alignparts.naming.pipeline import NamedPartsPipeline
from alignparts.ontology.vocabulary import words
from alignparts.pictures import figures
from alignparts.pictures.scene3d import save_gallery
from alignparts.report import figure_rows, readme

# %% [markdown]
# ## The shapes
#
# At the smoke size, which must run anywhere, a few generated files with a manifest of the same form take the
# place of the set.

# %%
run = start("reality", profile)
settings, seed = run.params.reality, run.params.base.seed
folder = run.data / "open"
if run.reports != paths.REPORTS:
    write_open_like(folder, seed)
shapes = pd.DataFrame([shape.model_dump() for shape in open_set.read_manifest(folder / "manifest.csv")])
names = {pair.split("=")[1] for parts in shapes.parts for pair in parts.split("|")}
print(f"{len(shapes)} shapes, {shapes.category.nunique()} categories, {len(names)} part names")
shapes.groupby(["repository", "license"]).size().rename("shapes").reset_index()

# %% [markdown]
# ## Packs stay together
#
# Shapes of one pack share their maker's hand, often whole parts. So packs, not shapes, are drawn for test,
# validation and training; whoever trains or chooses on real shapes has the latter two for it. The ids are in
# `reports/reality/splits`.

# %%
located, index = sources.open_splits(folder, settings, seed)
write_lists(run.folder, index)
index.groupby(["split", "pack"]).size().rename("shapes").reset_index()

# %% tags=["nbval-ignore-output"]
tested = index.shape_id[index.split == "test"].tolist()
loaded = {shape_id: readers.read(*located[shape_id]) for shape_id in tested}
sheet = figures.contact_sheet([(words(shape.category), shape.surface) for shape in loaded.values()])
run.figure(sheet, "contact_sheet")
sheet

# %% [markdown]
# ## The test part
#
# Every shape's own part names are the vocabulary. ALIGN-Parts labels points by Eq. 22, as in the paper, or
# mesh-aware, as `alignparts name` does: whole patches of the surface. Beside it stands k-means on its part
# field and on the means of the field over the same patches, which is told the true number of parts and names
# nothing. *One shell*: the same shapes as one closed, smooth surface without inner faces or creases, as
# generators make them from pictures. *Closed vocabulary*: no names are given, and a name counts as right only
# if it is the very word of the file's author. Shapes for research alone, which cannot be passed on, give
# further rows where their folder is present (`reality.research`, under `data/raw`), the last ones of a model
# that was trained on other such shapes (`research` in profiles/release.yaml), whose weights never ship.
#
# *Learned backbone* is the release model, the one that ships: it has seen the train part of the set, and far
# more generated shapes than the model of the pipeline.

# %% tags=["nbval-ignore-output"]
pipelines = {
    "pipeline's model": NamedPartsPipeline.from_pretrained(run.models / "alignparts"),
    "release model": (release := NamedPartsPipeline.from_pretrained(paths.RELEASE)),
}
look = {"resamples": run.params.evaluate.bootstrap, "seed": seed}
chosen, as_shell = [located[shape_id] for shape_id in tested], partial(shelled, cell=0.02, seed=seed)
research = paths.DATA / "raw" / settings.research
sets = {"open test set": (chosen, None), "open test set, one shell": (chosen, as_shell)}
if research.is_dir() and run.reports == paths.REPORTS:
    sets["research-only shapes"] = (locate(research), None)
reports = {
    (name, model): evaluate_located(shapes_of, pipeline, change=change, **look)
    for name, (shapes_of, change) in sets.items()
    for model, pipeline in pipelines.items()
}
if "research-only shapes" in sets and (own := run.models / "research/packed").is_dir():
    trained = evaluate_located(locate(research), NamedPartsPipeline.from_pretrained(own), **look)
    reports["research-only shapes, trained on others", "research model"] = trained
parts = [result.table[result.table.test_set == "all"].assign(test_set=name)
         for (name, _), result in reports.items()]
table = pd.concat(parts, ignore_index=True)
tables.write_table(run.folder, "reality", table, tables.by_set(table))
tables.by_set(table)

# %%
report = reports["open test set", "release model"]
good = report.shapes[report.shapes.error == ""]
assert len(good) == len(tested)
assert good.miou.between(0, 1).all() and (good.la_miou <= good.miou + 1e-9).all()
print("shapes scored:", len(good))

# %% [markdown]
# ## Steadiness
#
# A name should not depend on the draw of the samples, on the frame or on the triangles. Shapes of the test
# part are named by the closed vocabulary, with no names given, again and again: the share of the area that
# keeps its name, and how often the category stays.

# %% tags=["nbval-ignore-output"]
few = {shape_id: loaded[shape_id].surface for shape_id in tested[:: max(len(tested) // 40, 1)]}
rows = [
    tables.row(change, f"open test set, {model}", metric, interval(group[metric].to_numpy(), **look))
    for model, pipeline in pipelines.items()
    for change, group in steadiness.steadiness(few, pipeline).groupby("change", sort=False)
    for metric in ("area", "category")
]
table_steady = tables.long_table(rows)
tables.write_table(run.folder, "steadiness", table_steady, tables.by_set(table_steady))
tables.by_set(table_steady)

# %% [markdown]
# ## Twenty meshes, named
#
# Every so many-th shape of the test part, in the order of their ids, named by `alignparts name` with its
# default settings: nothing but the mesh is given.

# %% tags=["nbval-ignore-output"]
sheet = []
for shape_id in tested[:: max(len(tested) // 20, 1)][:20]:
    names_of, category = release.face_names(loaded[shape_id].surface)
    called, part = np.unique(names_of, return_inverse=True)  # every face has a name
    sheet.append((words(category), loaded[shape_id].surface, part, [words(name) for name in called]))
figure = figures.named_sheet(sheet)
run.figure(figure, "twenty")
figure

# %% [markdown]
# ## Good ones and bad ones
#
# The shapes nearest to the 0.9, 0.5 and 0.1 quantile of the release model's LA-mIoU, names given.

# %% tags=["nbval-ignore-output"]
rows, methods = [], list(entrants(release, seed).values())
for quantile in (0.9, 0.5, 0.1):
    nearest = (good.la_miou - good.la_miou.quantile(quantile)).abs().sort_values(kind="stable").index[0]
    shape = loaded[good.shape_id[nearest]]
    truth = label_shape(shape, release)
    outputs = {method.label: method.predict(truth) for method in methods[:2]}
    rows.append(figure_rows.shape_row(words(shape.category), truth, outputs, shape.surface))
save_gallery(run, "examples", "Real shapes", rows)

# %% [markdown]
# ## By category, and whose shapes they are

# %% tags=["nbval-ignore-output"]
display(good.groupby("category")[["miou", "la_miou"]].agg(["mean", "size"]).round(3))
shapes.groupby(["pack", "license"]).agg(
    shapes=("id", "size"), attribution=("attribution", "first"), repository=("repository", "first")
)

# %% [markdown]
# ## Written
#
# The README shows the same table.

# %% tags=["nbval-ignore-output"]
if run.reports == paths.REPORTS:
    readme.fill(paths.ROOT / "README.md", "reality", tables.by_set(table).to_markdown(index=False))
run.metrics({
    "shapes": len(shapes), "categories": int(shapes.category.nunique()), "tested": len(tested),
    "names": len(names),
})  # fmt: skip
