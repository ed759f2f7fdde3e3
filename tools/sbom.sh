#!/bin/sh
# Tell what an image's Python environment consists of, in CycloneDX: sbom.sh IMAGE PYTHON. The tool runs in the image
# and is no part of it; proxies and package indexes are those of the environment.
set -eu
given=$(for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST; do
    if printenv "$name" >/dev/null; then printf ' --env %s' "$name"; fi
done)
# shellcheck disable=SC2086,SC2016 # many words are meant; the container's own variables
docker run --rm --interactive --network host --user 0 $given --env PYTHON="$2" --entrypoint sh "$1" -c '
    python -m venv /sbom
    /sbom/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin >&2
    /sbom/bin/cyclonedx-py environment --output-reproducible --output-format JSON "$PYTHON"
' <"$(dirname "$0")/../images/sbom.txt"
