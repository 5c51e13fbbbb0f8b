FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# what `keyfold_build_info` shows: --build-arg BUILD_COMMIT="$(git rev-parse --short=12 HEAD)"
ARG BUILD_COMMIT
RUN cargo build --release --locked --bin keyfold \
    && strip --strip-debug target/release/keyfold

FROM debian:bookworm-slim
# The certificates of public authorities, for brokers behind TLS.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin keyfold
COPY --from=build /src/target/release/keyfold /usr/local/bin/keyfold
USER keyfold
EXPOSE 9464
ENTRYPOINT ["keyfold"]
CMD ["run"]
