# syntax=docker/dockerfile:1
# The gateway as a container: built from this tree, run as nobody in particular, asked for its health by itself.
# Mount a configuration at /etc/tidegate/tidegate.yaml and keep /var/lib/tidegate (data_dir) on a volume. In a container the public
# listener has to be reachable from outside (`listen: 0.0.0.0:4141`), which without `tenants` needs
# `server.allow_public_without_keys: true`: then everybody who reaches the port may spend your provider's money.

FROM rust:1-slim-bookworm AS build
# cmake: zlib-ng in pingora-core; make: jemalloc.
RUN apt-get update && apt-get install -y --no-install-recommends cmake make g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin tidegate && cp target/release/tidegate /tidegate

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin tidegate \
    && install -d -o tidegate -g tidegate /var/lib/tidegate /etc/tidegate
COPY --from=build /tidegate /usr/local/bin/tidegate
USER 10001
WORKDIR /var/lib/tidegate
EXPOSE 4141
# Only the public port is exposed: the admin listener stays on the container's loopback unless the configuration says otherwise.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["tidegate", "healthcheck", "-c", "/etc/tidegate/tidegate.yaml"]
# SIGTERM drains; give it the time: docker stop -t 35.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tidegate"]
CMD ["serve", "-c", "/etc/tidegate/tidegate.yaml", "--log-format", "json"]
