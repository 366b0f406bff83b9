# %% [markdown]
# # A tour: a GLB in, named parts out
#
# A textured chair that nobody has seen goes in as one mesh without names. One forward pass later it has
# parts, and the parts have names (Fig. 1 of the paper). This is what `alignparts name chair.glb --out named/`
# does, with the model that the chapters before this one trained.

# %% tags=["parameters"]
profile = "smoke"  # of profiles/, seconds on a laptop; the pipeline passes "params": params.yaml

# %%
# %matplotlib inline
import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
from IPython.display import Image

import procparts
from alignparts.core.run import start
from alignparts.corpus.embedded import surface_of
from alignparts.corpus.mesh.glb import split_container, write_glb
from alignparts.naming.pipeline import NamedPartsPipeline

run = start("tour", profile)
folder = run.data / "tour"

# %% [markdown]
# ## An object
#
# The generator makes a plain chair, of a kind that training holds many of, from a seed that no corpus uses.
# (The chapter on evaluation measures how the model does on unusual ones and on other categories.) What the
# generator knows about the parts is thrown away: the file holds one node.

# %%
pieces = procparts.generate("chair", np.random.default_rng([2026, 15]), free_yaw=0.0)
surface = surface_of(pieces)
write_glb(folder / "chair.glb", replace(surface, face_part=np.full_like(surface.face_part, -1)), [])
header, _ = split_container((folder / "chair.glb").read_bytes(), "chair.glb")
images = len(header.get("images", []))
print("nodes:", len(header["nodes"]), "| images:", images, "| faces:", len(surface.faces))

# %% [markdown]
# ## Its parts
#
# The category comes first (Eq. 16), then every active partlet takes a name of its own from that category's
# vocabulary (Eq. 17). Every face takes the name of the samples on it or nearest to it.

# %% tags=["nbval-ignore-output"]
pipeline = NamedPartsPipeline.from_pretrained(run.models / "alignparts")
named = pipeline.name(folder / "chair.glb")
files = named.save(folder / "named")
assert named.face_part.shape == (len(surface.faces),)
print(named.summary)

# %% tags=["nbval-ignore-output"]
picture = run.folder / "tour.png"
picture.parent.mkdir(parents=True, exist_ok=True)
shutil.copyfile(files.picture, picture)
Image(picture)

# %% [markdown]
# ## What was written
#
# A GLB with one node per part, in the frame of the input and with its textures; the labels; one integer per
# face. A part whose confidence is below 0.5 asks to be looked at.

# %%
header, _ = split_container(files.glb.read_bytes(), files.glb.name)
labels = json.loads(files.labels.read_text())
faces = np.load(files.faces, allow_pickle=False)
assert [node["extras"]["name"] for node in header["nodes"]][: len(labels["parts"])] == [
    part["name"] for part in labels["parts"]
]
assert len(faces) == len(surface.faces) == labels["faces"]
print("schema:", labels["schema"])

# %% tags=["nbval-ignore-output"]
pd.DataFrame(labels["parts"], columns=["name", "confidence", "needs_review", "area", "faces"]).round(2)

# %% [markdown]
# ## One part by name
#
# The same pass answers a query in free words: the active partlet nearest to it (Eq. 21).

# %% tags=["nbval-ignore-output"]
asked = pipeline.name(folder / "chair.glb", query="where you put your weight when sitting")
Image(asked.save(folder / "query").picture)
