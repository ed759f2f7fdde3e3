#!/bin/sh
# Build KAOS's images in this checkout's version, and write what is in each to build/sbom. Proxies and package indexes
# are those of the environment. The same commit gives the same layers.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' kaos/__init__.py)
revision=$(git describe --always --abbrev=40 --exclude '*' --dirty)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
given=$(for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
    if printenv "$name" >/dev/null; then printf ' --build-arg %s' "$name"; fi
done)

build() { # name, python in it, arguments of docker build
    image=kaostools/$1:$version sbom=build/sbom/$1.cdx.json python=$2
    shift 2
    # shellcheck disable=SC2086 # many words are meant
    docker build --quiet --network host $given --build-arg SOURCE_DATE_EPOCH="$epoch" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" --tag "$image" "$@" >/dev/null
    tools/sbom.sh "$image" "$python" >"$sbom"
    echo "$image, $sbom"
}

mkdir -p build/sbom
build kaos /opt/kaos/bin/python --file images/kaos/Dockerfile .
build kaos-mcp-rawpython /venv/bin/python mcp-servers/rawpython
