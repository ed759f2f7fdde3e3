"""Hosted models: pulled with their progress, kept on a volume, pulled by hand; a real Ollama serves a tiny one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from kaos.api.names import MODELAPIS
from tests.conftest import ROOT, Place
from tests.stories import agent, is_ready, message, modelapi, reason

IMAGE = "kaos-test/ollama:1"
PORT = 5000
SLOW_BYTES_PER_S = 20_000


@dataclass(frozen=True)
class Shop:
    """Where models are to be had, and what a pod needs to get there."""

    address: str
    pod: dict[str, Any] = field(default_factory=dict)

    def spec(self, model: str, **hosted: Any) -> dict[str, Any]:
        return {"type": "hosted", "hostedConfig": {"model": model, **hosted}, **self.pod}


@pytest.fixture(scope="session")
def models(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An Ollama's directory with one tiny model; on a cluster it is in an image with Ollama itself."""
    from tests.ollama_models import create

    ollama = shutil.which("ollama")
    if not ollama:
        pytest.skip("needs the program ollama")
    directory = tmp_path_factory.mktemp("ollama")
    made = create(directory)
    if place.name == "cluster":
        context = directory / "image"
        shutil.copytree(ROOT / "tests/images/ollama", context)
        shutil.copytree(made, context / "models")
        shutil.copy(ollama, context / "ollama")
        shutil.copy(ROOT / "tests/ollama_registry.py", context)
        place.load_image(IMAGE, context)
    return made


@contextmanager
def shop(place: Place, models: Path, bytes_per_s: int = 0) -> Iterator[Shop]:
    """Open as long as the context lasts: beside the test, on a cluster in a container of the pod."""
    from tests.ollama_registry import registry

    if place.name == "local":
        with registry(models, bytes_per_s) as address:
            yield Shop(address)
        return
    command = ["python", "/ollama_registry.py", "/registry", str(PORT), str(bytes_per_s)]
    sidecar = {"name": "registry", "image": IMAGE, "command": command}
    yield Shop(f"127.0.0.1:{PORT}", {"container": {"image": IMAGE}, "podSpec": {"containers": [sidecar]}})


@pytest.fixture
def volume(place: Place, namespace: str) -> Iterator[None]:
    """A volume for the claim of the ModelAPI `hosted`, where the cluster makes none by itself."""
    from kubernetes import client

    if place.name == "local":
        yield
        return
    core, storage = client.CoreV1Api(place.kubernetes()), client.StorageV1Api(place.kubernetes())
    default = "storageclass.kubernetes.io/is-default-class"
    classes = storage.list_storage_class().items
    if any((one.metadata.annotations or {}).get(default) == "true" for one in classes):
        yield
        return
    body = {
        "metadata": {"name": namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": "modelapi-hosted-models"},
            "hostPath": {"path": "/tmp"},  # noqa: S108 - on the node: where a pod without rights may write
        },
    }
    core.create_persistent_volume(body)
    yield
    core.delete_persistent_volume(namespace)


@pytest.mark.only("local")
def test_without_ollama_a_hosted_model_says_what_it_needs(place, kaos, namespace):
    if shutil.which("ollama"):
        pytest.skip("ollama is installed here")
    manifest = modelapi("hosted", type="hosted", hostedConfig={"model": "tiny"})
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
    waiting = place.until(MODELAPIS, "hosted", namespace, lambda obj: reason(obj) not in ("", "RolloutInProgress"), 30)
    assert reason(waiting) in ("ImageNeedsDocker", "ImagePullError", "CrashLooping")
    assert "ollama" in message(waiting)


@pytest.mark.full
@pytest.mark.timeout(400)
def test_a_hosted_model_is_pulled_with_its_progress_answers_and_stays(place, kaos, namespace, models, volume):
    with shop(place, models, SLOW_BYTES_PER_S) as slow:
        model = f"{slow.address}/library/{namespace}"  # a volume may hold what earlier runs pulled
        spec = slow.spec(model, storage={"size": "1Gi"})
        kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=modelapi("hosted", **spec)).ok()
        pulling = place.until(MODELAPIS, "hosted", namespace, lambda obj: "%" in message(obj), 90)
        assert reason(pulling) == "RolloutInProgress"
        assert " kB of " in message(pulling)
        ready = place.until(MODELAPIS, "hosted", namespace, is_ready, 120)
    assert model in ready["status"]["models"]
    assert ready["status"]["endpoint"].endswith(":11434")
    ask = ["modelapi", "invoke", "hosted", "-n", namespace, "--message", "hello", "--model", model, "--timeout", "60"]
    kaos(*ask).ok()
    helper = agent("helper", modelAPI="hosted", model=model)
    kaos("agent", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=helper).ok()
    spec.pop("podSpec", None)  # on a cluster the registry goes with it, elsewhere it has gone already
    spec["container"] = {**spec.get("container", {}), "env": [{"name": "OLLAMA_KEEP_ALIVE", "value": "5m"}]}
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=modelapi("hosted", **spec)).ok()
    again = place.until(MODELAPIS, "hosted", namespace, lambda obj: is_ready(obj) and not rolling(obj), 120)
    assert model in again["status"]["models"], "the volume has it"
    kaos(*ask).ok()


def rolling(obj: dict[str, Any]) -> bool:
    return any(one["type"] == "Progressing" and one["status"] == "True" for one in obj["status"]["conditions"])


@pytest.mark.full
@pytest.mark.timeout(400)
def test_another_model_is_pulled_by_hand(place, kaos, namespace, models):
    with shop(place, models, SLOW_BYTES_PER_S * 20) as open_shop:
        model, other = (f"{open_shop.address}/library/{name}" for name in ("tiny", "other"))
        manifest = modelapi("hosted", **open_shop.spec(model))
        kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=manifest, timeout_s=150).ok()
        pulled = kaos("modelapi", "pull", "hosted", other, "-n", namespace).ok()
        assert pulled.stdout.startswith(f"{other} pulled (")
        assert " 100 % (" in pulled.stderr
        assert "\x1b" not in pulled.stderr
        assert "hostedConfig.storage would keep it" in pulled.stderr
        told = json.loads(kaos("modelapi", "pull", "hosted", "-n", namespace, "-o", "json").ok().stdout)
        assert told["model"] == model
        assert (told["lasts"], len(told["pods"])) == (False, 1)
        assert told["bytes"] > 0
        listed = kaos("modelapi", "models", "hosted", "-n", namespace, "-o", "name").ok().stdout
        assert {f"{model}:latest", f"{other}:latest"} == set(listed.split())
        place.until(MODELAPIS, "hosted", namespace, lambda obj: set(obj["status"]["models"]) == {model, other}, 90)
        helper = agent("helper", modelAPI="hosted", model=other)
        kaos("agent", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=helper).ok()
    absent = kaos("modelapi", "pull", "hosted", "127.0.0.1:1/library/absent", "-n", namespace)
    assert absent.code == 1
    assert absent.stderr.splitlines()[-2].startswith(
        f"Error: ModelAPI {namespace}/hosted: 127.0.0.1:1/library/absent: "
    )
    assert "Traceback" not in absent.stderr


@pytest.mark.full
def test_a_model_that_is_not_to_be_had_is_told_with_its_registrys_words(place, kaos, namespace, models):
    absent = "127.0.0.1:1/library/absent"
    with shop(place, models) as open_shop:
        manifest = modelapi("hosted", **open_shop.spec(absent))
        kaos("modelapi", "deploy", "-f", "-", "-n", namespace, stdin=manifest).ok()
        failed = place.until(MODELAPIS, "hosted", namespace, lambda obj: reason(obj) == "HandshakeFailed", 90)
    assert message(failed).startswith(f"model {absent}: it cannot be pulled: ")
    assert "connection refused" in message(failed)
    assert "check hostedConfig.model" in message(failed)


def test_only_a_hosted_model_api_pulls_models(kaos, namespace):
    kaos("modelapi", "deploy", "-f", "-", "-n", namespace, "--wait", stdin=modelapi()).ok()
    refused = kaos("modelapi", "pull", "mock", "-n", namespace)
    assert refused.code == 2
    assert "not of type hosted" in refused.stderr
    assert kaos("modelapi", "pull", "absent", "-n", namespace).code == 3
