# docker build -t fstore --build-arg VERSION=$(git describe --tags --always) .
#
# Your own image adds the feature repo: FROM fstore, COPY my_features /features. See docs/deploy.md.
ARG GO_IMAGE=docker.io/library/golang:1.26-bookworm
ARG BASE_IMAGE=docker.io/library/debian:bookworm-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
# DuckDB is C++: cgo, and the C++ compiler that the image of Go has.
RUN CGO_ENABLED=1 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/fstore ./cmd/fstore \
 && go run ./internal/notices >/out/THIRD_PARTY_LICENSES \
 && cp LICENSE /out/

FROM ${BASE_IMAGE}
# ca-certificates: TLS to Redis and to the issuer of JWTs. sqlite3 copies a registry that is in use. libstdc++6 is DuckDB's.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libstdc++6 sqlite3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/* \
 && install -d -o 65532 -g 65532 -m 0700 /var/lib/fstore \
 && install -d -m 0755 /features
COPY --from=build /out/fstore /usr/local/bin/fstore
COPY --from=build /out/LICENSE /out/THIRD_PARTY_LICENSES /usr/share/doc/fstore/
# All that fstore writes is in /var/lib/fstore, so the root file system may be read-only.
ENV FSTORE_REPO=/features \
    FSTORE_REGISTRY=sqlite:///var/lib/fstore/registry.db \
    FSTORE_ONLINE=sqlite:///var/lib/fstore/online.db \
    FSTORE_STATE=/var/lib/fstore/state \
    FSTORE_SNAPSHOTS=/var/lib/fstore/snapshots \
    FSTORE_OFFLINE_TEMP_DIR=/var/lib/fstore/tmp \
    FSTORE_SERVE_TRAINING_SETS=/var/lib/fstore/training_sets
WORKDIR /features
USER 65532:65532
VOLUME /var/lib/fstore
EXPOSE 6566 6567 6568
# No HEALTHCHECK: the image also runs jobs. Probe GET /readyz at port 6568.
ENTRYPOINT ["/usr/local/bin/fstore"]
