# `alignparts` on the CPU: docker build -t alignparts . ; docker run --rm -v "$PWD:/work" alignparts name chair.glb --out named
FROM python:3.11-slim AS base
RUN apt-get update \
 && apt-get install -y --no-install-recommends libegl1 libgl1 libgl1-mesa-dri \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --create-home --uid 1000 work

# For .devcontainer: `make env` does the rest.
FROM base AS dev
RUN apt-get update \
 && apt-get install -y --no-install-recommends chromium git make \
 && rm -rf /var/lib/apt/lists/*
USER work

FROM base
# PyTorch's index of CPU wheels, which its page "Get started" shows; PyPI's wheel brings 3 GB for CUDA.
ARG TORCH_INDEX
ARG EXTRAS=pictures,text
WORKDIR /src
COPY requirements.lock ./
RUN pip install --no-cache-dir --constraint requirements.lock ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
COPY pyproject.toml README.md params.yaml ./
COPY lib lib
RUN pip install --no-cache-dir --constraint requirements.lock ".[$EXTRAS]"
USER work
WORKDIR /work
ENTRYPOINT ["alignparts"]
CMD ["--help"]
