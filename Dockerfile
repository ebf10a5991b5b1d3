# Malla - a mesh that turns AI models into services
# SPDX-License-Identifier: Apache-2.0
# Copyright 2026 the Malla authors
#
# One image for every role: docker build -t malla . && docker run malla worker --service face-detect

# ---- the binary
FROM swift:6.3-bookworm AS build
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends \
        libcurl4-openssl-dev libhiredis-dev libjemalloc-dev libpq-dev librabbitmq-dev libsqlite3-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
# The packages first: a change of our own sources does not fetch them again.
COPY Package.* ./
RUN swift package resolve
COPY Sources Sources
COPY Tests Tests
RUN swift build -c release --product malla --static-swift-stdlib \
    && install -D -s "$(swift build -c release --show-bin-path)/malla" /out/malla

# ---- the Python environment of the handlers
FROM debian:bookworm-slim AS python
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
COPY services /opt/malla/services
RUN python3 -m venv /opt/malla/venv \
    && for file in /opt/malla/services/*/requirements.txt; do \
        [ ! -f "$file" ] || /opt/malla/venv/bin/pip install --no-cache-dir --quiet -r "$file" || exit 1; \
    done

# ---- what runs
FROM debian:bookworm-slim
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends \
        ca-certificates libcurl4 libhiredis0.14 libjemalloc2 libpq5 librabbitmq4 libsqlite3-0 \
        libstdc++6 python3 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/malla --create-home malla
WORKDIR /opt/malla
COPY LICENSE NOTICE ./
COPY --from=python /opt/malla/venv venv
COPY python python
COPY services services
COPY apps apps
COPY deploy/health.py /usr/local/bin/malla-health
COPY --from=build /out/malla /usr/local/bin/malla
ENV APPS_DIR=/opt/malla/apps \
    SERVICES_DIR=/opt/malla/services \
    MALLA_PYTHON=/opt/malla/venv/bin/python \
    MALLA_DATA=/var/lib/malla \
    PYTHONPATH=/opt/malla/python \
    PYTHONUNBUFFERED=1
USER malla
EXPOSE 8007 8080 8081
# Compose says which port the role answers on (HEALTH_PORT).
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["malla-health"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["malla"]
CMD ["--help"]
