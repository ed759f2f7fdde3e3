"""KAOS's chart: rendered by helm where there is one, else as it was rendered for the release, with the defaults."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kaos
from kaos.api.names import SYSTEM_NAMESPACE
from kaos.errors import KaosError, UsageError
from kaos.kube import manifests

Object = dict[str, Any]
RENDER_S = 60.0
_INSTALL_HELM = "Install helm (https://helm.sh/docs/intro/install/), or leave the values out."

_PLACE = re.compile(r"^execution error at \(\S+\): ")  # in the chart's templates, which say in words what is wrong


@dataclass(frozen=True)
class Values:
    """What differs from the chart's defaults, in helm's words."""

    sets: tuple[str, ...] = ()  # KEY=VALUE
    files: tuple[str, ...] = ()


def directory() -> Path:
    """The chart of this version, in the package or, in a checkout, beside it."""
    package = Path(kaos.__file__).parent
    return package / "_chart" if (package / "_chart").exists() else package.parent / "chart"


def crds() -> list[Object]:
    return [manifests.load(path.read_text()) for path in sorted((directory() / "crds").glob("*.yaml"))]


def render(namespace: str, values: Values, kube_version: str) -> list[Object]:
    """Everything but the CRDs, for an operator in that namespace. Raises UsageError for values that have no meaning."""
    helm = shutil.which("helm")
    if helm:
        text = _by_helm(helm, namespace, values, kube_version)
    elif values != Values():
        raise UsageError("The values need helm, which is not installed here.", _INSTALL_HELM)
    else:
        # Nothing else in the chart is called so.
        text = (directory() / "rendered.yaml").read_text().replace(SYSTEM_NAMESPACE, namespace)
    return [one for one in manifests.load_all(text) if one]


def _by_helm(helm: str, namespace: str, values: Values, kube_version: str) -> str:
    command = [helm, "template", "kaos", str(directory()), "--namespace", namespace, "--kube-version", kube_version]
    for file in values.files:
        command += ["--values", file]
    for one in values.sets:
        command += ["--set", one]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=RENDER_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KaosError(f"helm could not be run: {error}.", f"Does it work by itself? {helm} version") from None
    if done.returncode:
        raise UsageError(f"helm refuses the values: {_why(done.stderr)}.", "The values there are: docs/install.md")
    return done.stdout


def _why(said: str) -> str:
    """In one line. What comes before its error are warnings about the same."""
    lines = said[max(said.find("Error:"), 0) :].removeprefix("Error:").splitlines()
    wrong = [line for line in lines if line.startswith("- ")]  # of the schema: what goes before only introduces it
    told = [line.strip(" -") for line in wrong or lines if line.strip() and not line.startswith("Use --debug")]
    return _PLACE.sub("", "; ".join(told)).rstrip(".")
