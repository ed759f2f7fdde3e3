#!/bin/sh
# Build KAOS's images in this checkout's version, and write what is in each to build/sbom. Proxies and package indexes
# are those of the environment. The same commit gives the same layers.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' kaos/__init__.py)
revision=$(git describe --always --abbrev=40 --exclude '*' --dirty)
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
settings="HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST"

given() { # the flag $1 for each of the settings that there are
    for name in $settings; do
        if printenv "$name" >/dev/null; then printf '%s %s ' "$1" "$name"; fi
    done
}

build() { # name, python in it, arguments of docker build
    image=kaostools/$1:$version sbom=build/sbom/$1.cdx.json python=$2
    shift 2
    # shellcheck disable=SC2046 # many words are meant
    docker build --quiet --network host $(given --build-arg) --build-arg SOURCE_DATE_EPOCH="$epoch" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" --tag "$image" "$@" >/dev/null
    # shellcheck disable=SC2046,SC2016
    docker run --rm --interactive --network host --user 0 $(given --env) --env PYTHON="$python" --entrypoint sh "$image" -c '
        python -m venv /sbom
        /sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin >&2
        /sbom/bin/cyclonedx-py environment --output-reproducible --output-format JSON "$PYTHON"
    ' <images/sbom.txt >"$sbom"
    echo "$image, $sbom"
}

mkdir -p build/sbom
build kaos /opt/kaos/bin/python --file images/kaos/Dockerfile .
build kaos-mcp-rawpython /venv/bin/python mcp-servers/rawpython
