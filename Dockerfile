# The agent in an image: built here, run with Node, libbpf and libdw only.
#
#   podman build -t mem-watcher .
#   podman run --rm --privileged --pid=host --net=host --cgroupns=host mem-watcher
#
# See docs/development.md for a build without an image registry.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
# Where a mirror is in the way, give npm its configuration: -v ~/.npmrc:/root/.npmrc:ro; where a
# proxy has a certificate of its own, mount it and name it by --build-arg NODE_EXTRA_CA_CERTS=FILE.
ARG NODE_EXTRA_CA_CERTS
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates npm \
      clang llvm make libbpf-dev linux-libc-dev libatomic1
WORKDIR /src
COPY package.json package-lock.json ./
RUN npm ci --include=dev
COPY . .
# The pinned Node is a dependency like any other; what the distribution brought only started npm.
RUN export PATH="/src/node_modules/.bin:$PATH" \
 && make -s -C bpf \
 && tsc -p . \
 && node core/setup/bundle.mjs \
 && node core/setup/package.mjs \
 && cp -L node_modules/node/bin/node /usr/local/bin/node

FROM ${BASE}
# libstdc++6 and libatomic1 are Node's.
RUN apt-get update \
 && apt-get install -y --no-install-recommends libbpf1 libdw1 libstdc++6 libatomic1 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/dist/package /opt/mem-watcher
# Run once: what it compiles to is kept beside it.
RUN ln -s /opt/mem-watcher/core/mem-watcher /usr/local/bin/mem-watcher \
 && mem-watcher --version
# Root inside, as BPF asks for capabilities; which ones suffice is in `mem-watcher doctor`.
ENTRYPOINT ["mem-watcher"]
CMD ["run"]
