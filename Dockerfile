# Caddy with caddy-grant, built from this checkout:
#
#     docker build -t caddy-grant .
#
# docs/deploy.md says how to run it, and examples/compose is a site that runs.

FROM golang:1.26 AS build
WORKDIR /src
COPY . .
# xcaddy builds without cgo, so the binary runs on the base below, which is not Debian.
# The caches are the builder's and never get into the image.
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
	go tool -modfile=tools/go.mod xcaddy $(grep -v '^#' xcaddy.txt) --output /usr/local/bin/caddy

# Caddy's own image rather than a distroless one: its paths are those that the pages
# about Caddy name, and it has the wget that the health check needs.
FROM caddy:2.11.9
# This replaces Caddy's own binary, whose capability to bind low ports is not copied
# along: with it, no container that drops all capabilities could start Caddy.
COPY --from=build /usr/local/bin/caddy /usr/bin/caddy
# In Caddy's image every user may write to both.
RUN chown -R 65532:65532 /data /config && chmod 700 /data/caddy /config/caddy
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
# Keys, sessions and certificates are in /data. In /config is a copy of the config.
VOLUME ["/data", "/config"]
# Caddy answers with a config. A config with "admin off" needs a check of its own.
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
	CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:2019/config/admin"]
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
