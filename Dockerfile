FROM rust:1.95-bookworm AS build
WORKDIR /src
# The dependencies by themselves, with stand-ins for the sources: this layer is made anew only where these files change.
COPY Cargo.toml Cargo.lock ./
COPY crates/generate/Cargo.toml crates/generate/
COPY crates/harness/Cargo.toml crates/harness/
RUN mkdir -p src benches/stages benches/instructions tests/faults crates/generate/src crates/harness/src \
    && touch src/lib.rs crates/generate/src/lib.rs crates/harness/src/lib.rs tests/faults/main.rs \
        benches/stages/main.rs benches/instructions/main.rs benches/floor.rs \
    && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked --bin keyfold
COPY schemas schemas
COPY presets presets
COPY build.rs build.rs
COPY crates/generate crates/generate
COPY src src
# what `keyfold_build_info` shows: --build-arg BUILD_COMMIT="$(git rev-parse --short=12 HEAD)"
ARG BUILD_COMMIT
# Files keep their times when they are copied, and may be older than what was built of the stand-ins.
# In one unit, as Cargo.toml says of what is installed.
RUN touch src/lib.rs src/main.rs crates/generate/src/lib.rs \
    && cargo build --release --locked --config profile.release.package.keyfold.codegen-units=1 --bin keyfold
# As `.ci/run dist` does it: the program finds its line tables where they are beside it, and works without them.
RUN mkdir dist \
    && objcopy --only-keep-debug target/release/keyfold dist/keyfold.debug \
    && cd dist \
    && objcopy --strip-debug --add-gnu-debuglink=keyfold.debug ../target/release/keyfold keyfold

# Only the line tables: docker build --target debug --output . .
FROM scratch AS debug
COPY --from=build /src/dist/keyfold.debug /

FROM debian:bookworm-slim
# The certificates of public authorities, for brokers behind TLS; and a directory for the store on disk.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 keyfold \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin keyfold \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/keyfold
COPY --from=build /src/dist/keyfold /usr/local/bin/keyfold
# Numbers, for Kubernetes does not know a name to be another one than root (`runAsNonRoot`).
USER 10001:10001
# Used with `KEYFOLD__STATE__STORE=disk`.
ENV KEYFOLD__STATE__DIRECTORY=/var/lib/keyfold
VOLUME /var/lib/keyfold
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=3 CMD ["keyfold", "healthcheck"]
ENTRYPOINT ["keyfold"]
CMD ["run"]
