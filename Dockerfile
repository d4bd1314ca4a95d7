# Builds Forewarn and leaves only what it needs to run. The image runs as a
# user of its own, on a read-only root file system; /data is the one place it writes.
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
COPY core core
COPY simulations simulations
COPY src src
COPY config config
COPY benches benches
RUN cargo build --release --locked --bin forewarn

FROM debian:bookworm-slim
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates \
	&& rm -rf /var/lib/apt/lists/* \
	&& useradd --system --uid 10001 --home-dir /data --shell /usr/sbin/nologin forewarn \
	&& install -d -o forewarn -g forewarn -m 0700 /data
COPY --from=build /src/target/release/forewarn /usr/local/bin/forewarn
COPY config /etc/forewarn
# For `run` and for every command asked beside it, such as the health check.
ENV FOREWARN_CONFIG=/etc/forewarn FOREWARN_DATA=/data
USER forewarn
VOLUME /data
EXPOSE 1883 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
	CMD ["/usr/local/bin/forewarn", "health"]
ENTRYPOINT ["/usr/local/bin/forewarn"]
CMD ["run"]
