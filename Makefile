# make repro   every table and figure, from nothing
# make test    lint, types, unit tests, notebooks
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
NOTEBOOKS := 01_corpus 02_ontology 03_features 04_train 05_evaluate 07_ablations 08_inference_modes 09_generalization 10_confidence 11_texparts 12_dataset 13_loop 14_tour 15_report 16_speed
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MPLBACKEND := agg
export PYTHONHASHSEED := 0

.PHONY: repro test lint notebooks twins lock clean site env bench train profile

env: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint requirements.lock torch==2.13.0
	$(BIN)/pip install --quiet --constraint requirements.lock --editable '.[dev]'
	$(BIN)/python -m alignparts.pictures.figures
	touch $@

repro: env
	$(BIN)/dvc repro

# Speed against a straight transcription and the peer's path: reports/timings/speed.csv, a notebook and a picture.
bench: env
	$(BIN)/python -m alignparts.core.run 16_speed

# The stage "train" on several GPUs; `make repro` then takes the trained model up. On a cluster: profiles/train.sbatch.
GPUS ?= 1
train: env
	$(BIN)/accelerate launch --num_processes $(GPUS) $(if $(filter-out 1,$(GPUS)),--multi_gpu) -m alignparts.cli.app train

# Other settings of the same keys: make profile NAME=gpu; `git checkout params.yaml` goes back.
profile: env
	$(BIN)/alignparts profile $(NAME)

site: env
	$(BIN)/dvc repro report

test: env lint
	$(BIN)/python -m pytest -n 2 --dist loadfile
	rm -rf build/smoke
	$(BIN)/python -m pytest -o addopts= -q --nbval --nbval-cell-timeout 900 $(NOTEBOOKS:%=notebooks/%.ipynb)

lint: env
	$(BIN)/ruff check lib tests notebooks/py
	$(BIN)/ruff format --check lib tests
	$(BIN)/mypy

# After editing a text twin: write the notebooks from the twins and run them at smoke size.
twins: env
	$(BIN)/python -m alignparts.core.notebooks

lock: env
	$(BIN)/pip freeze --exclude-editable | sed 's/^torch==.*/torch==2.13.0/' > requirements.lock

clean:
	rm -rf build $(VENV)
