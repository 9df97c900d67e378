# Mini Share Point in a container: see README, "Container".
ARG DENO_VERSION=2.9.6

FROM docker.io/denoland/deno:${DENO_VERSION} AS build
WORKDIR /src
COPY deno.json deno.lock ./
COPY main.ts host.ts ./
COPY cli ./cli
COPY lib ./lib
COPY tasks ./tasks
COPY config ./config
COPY modules ./modules
# Shown by --version; git itself is not in the build.
ARG MSP_COMMIT=
ENV MSP_COMMIT=${MSP_COMMIT}
# Types are checked where the tests run. The server starts functions as another user, which takes a
# program of its own.
RUN deno task compile --no-check --allow-run=/usr/bin/setpriv
# In a container, paths are absolute.
RUN mkdir -p dist/share && sed 's#=sec#=/sec#' config/config.ini > dist/share/config.ini

# Not smaller (distroless/cc would save some 50 MB): changing the user needs a shell and setpriv, and
# `docker exec -it NAME /bin/bash` is how this server was always administered.
FROM docker.io/library/debian:bookworm-slim
LABEL org.opencontainers.image.title="Mini Share Point" \
      org.opencontainers.image.description="Registered clients call functions on a server, every value sealed with NaCl box" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /src/dist/msp /usr/local/bin/msp
COPY --from=build /src/dist/share/config.ini /usr/local/share/msp/config.ini
COPY deploy/docker-entrypoint.sh /usr/local/bin/docker-entrypoint
COPY deploy/by-name.sh /usr/local/bin/appendclient
RUN chmod 0755 /usr/local/bin/docker-entrypoint /usr/local/bin/appendclient \
 && cd /usr/local/bin \
 && for name in purgeclients keygen listclients removeclient rotate-secrets rotate-server-key doctor; do \
      ln appendclient "$name" || exit 1; \
    done \
 && mkdir -p /config /app/modules /log /sec
WORKDIR /app
ENV MSP_CONFIG_PATH=/config/config.ini \
    MSP_MODCONF_PATH=/config/modules.ini \
    MSP_LOGFILE_PATH=/log \
    PUID=1000 \
    PGID=100
VOLUME ["/config", "/app/modules", "/log", "/sec"]
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["msp", "health"]
ENTRYPOINT ["docker-entrypoint"]
CMD ["serve"]
