# Mini Share Point in a container: see docs/container.md.
ARG DENO_IMAGE=docker.io/denoland/deno:2.9.6@sha256:2014dc167ece617ef7e7ba40631ac2234c59e75ce693e7cc2dc2602b3c87859d
ARG DEBIAN_IMAGE=docker.io/library/debian:bookworm-slim@sha256:abd67ffcfa541b485a3dff59865ab629aa048a6c613e639d36e7456b0b229241

# The executable is compiled on the machine that builds, for another architecture too: nothing of the
# target runs during the build.
FROM --platform=$BUILDPLATFORM ${DENO_IMAGE} AS build
WORKDIR /src
COPY . .
ARG TARGETARCH
# Shown by --version; git itself is not in the build.
ARG MSP_COMMIT=
ENV MSP_COMMIT=${MSP_COMMIT}
# /data is a volume of its own.
RUN case $TARGETARCH in \
      amd64) target=x86_64-unknown-linux-gnu ;; \
      arm64) target=aarch64-unknown-linux-gnu ;; \
      *) echo "Deno does not run on $TARGETARCH" >&2; exit 1 ;; \
    esac \
 && deno task compile --target $target --output /image/usr/local/lib/msp/msp \
      --allow-read=/data --allow-write=/data
WORKDIR /image
# In a container, paths are absolute.
RUN mkdir -p usr/local/bin usr/local/share/msp config app/modules log sec data \
 && sed 's#=sec#=/sec#' /src/config/config.ini > usr/local/share/msp/config.ini \
 && cp /src/LICENSE usr/local/share/msp/ \
 && install -m 755 /src/deploy/container.sh usr/local/bin/msp \
 && for name in docker-entrypoint appendclient purgeclients keygen listclients removeclient \
      rotate-secrets rotate-server-key doctor; do \
      ln -s msp "usr/local/bin/$name" || exit 1; \
    done

# Not smaller (distroless/cc would save some 50 MB): changing the user needs a shell and setpriv, and
# `docker exec -it NAME /bin/bash` is how this server was always administered.
FROM ${DEBIAN_IMAGE}
LABEL org.opencontainers.image.title="Mini Share Point" \
      org.opencontainers.image.description="Registered clients call functions on a server, and everything that they send and get is sealed" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /image/ /
WORKDIR /app
ENV MSP_CONFIG_PATH=/config/config.ini \
    MSP_MODCONF_PATH=/config/modules.ini \
    MSP_LOGFILE_PATH=/log \
    PUID=1000 \
    PGID=100
VOLUME ["/config", "/app/modules", "/log", "/sec", "/data"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["msp", "health"]
ENTRYPOINT ["docker-entrypoint"]
CMD ["serve"]
