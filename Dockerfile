# One image for every service of docker-compose.yml but PostgreSQL and SeaweedFS: all run the same versions.

# The compiled statistics, which need a compiler that the services do not.
FROM python:3.11.14-bookworm AS native
WORKDIR /app
COPY pyproject.toml README.md setup.py ./
COPY mistworks mistworks
# setup.py leaves out what does not compile: here that is an error.
RUN pip install --no-cache-dir --no-deps --target /built . \
    && test -e /built/mistworks/native/_baseline.abi3.so

FROM python:3.11.14-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

# Named volumes take the owner of the folder that they are mounted on.
RUN groupadd --gid 1001 mistworks \
    && useradd --uid 1001 --gid 1001 --no-create-home mistworks \
    && install --directory --owner=1001 --group=1001 /var/lib/prefect /var/lib/mistworks

WORKDIR /app

# PyPI's torch for Linux brings gigabytes of CUDA with it: https://pypi.org/simple here is the one for GPUs.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY constraints.txt ./
RUN pip install --no-deps --index-url "${TORCH_INDEX}" --constraint constraints.txt torch

COPY pyproject.toml README.md setup.py prefect.yaml ./
COPY mistworks mistworks
COPY storage storage
COPY tasks tasks
COPY flows flows
COPY --from=native /built/mistworks/native/*.so mistworks/native/
RUN MISTWORKS_BUILDS='' pip install --constraint constraints.txt --editable '.[pipeline,server]'

# There is no repository in the image: COMMIT=$(git rev-parse HEAD) tells registered versions what made them.
ARG COMMIT=
ENV MISTWORKS_COMMIT=${COMMIT}

USER 1001:1001
