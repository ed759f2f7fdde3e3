"""What a container is started with: its command, environment, directory, ports and mounts, all resolved."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kaos.kube import quantities
from kaos.local.certs import write_private
from kaos.local.node import environment, volumes
from kaos.local.node.backend import Launch
from kaos.local.node.commands import local_command, with_this_python
from kaos.local.ports import port_map
from kaos.local.rbac import Account

if TYPE_CHECKING:
    from kaos.local.node import NodeContext

Object = dict[str, Any]
PARTS = ("home", "work", "tmp", "logs", "termination")  # of a pod's directory


class Launcher:
    """Prepares the containers of one pod, below its directory."""

    def __init__(self, context: NodeContext, pod: Object) -> None:
        self._context = context
        self._pod = pod
        self.directory = context.pods / pod["metadata"]["uid"]
        self._to_services = partial(context.services.rewrite, pod["metadata"]["namespace"])
        self.volumes = volumes.Volumes(context.machinery, pod, self.directory, context.claims, self._to_services)

    def commands(self) -> list[list[str] | None]:
        """The local command of each container; None where only a container engine can run the image."""
        spec = self._pod["spec"]
        containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
        return [local_command(self._pod, container, self._context.image_commands) for container in containers]

    def log(self, name: str) -> Path:
        return self.directory / "logs" / f"{name}.log"

    def termination_file(self, name: str) -> Path:
        return self.directory / "termination" / name

    def launch(self, spec: Object, *, as_process: bool) -> Launch:
        """Resolve everything that the container refers to. Raises ConfigError and MountError."""
        message_file = self.termination_file(spec["name"])
        message_file.touch(mode=0o600)
        message_file.write_text("")
        mounts = self.volumes.mounts(spec) | {spec["terminationMessagePath"]: (message_file, False)}
        limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
        common = {
            "name": spec["name"],
            "log": self.log(spec["name"]),
            "image": spec.get("image") or "",
            "memory_bytes": quantities.bytes_(limit) if limit else None,
        }
        if not as_process:
            return self._in_docker(spec, mounts, common)
        return self._as_process(spec, mounts, message_file, common)

    def _as_process(self, spec: Object, mounts: volumes.Mounts, message_file: Path, common: Object) -> Launch:
        to_paths = volumes.rewriter(mounts)

        def rewrite(text: str) -> str:
            return to_paths(self._to_services(text))

        ports = port_map(self._pod)
        values = environment.resolve(self._context.machinery, self._pod, spec, rewrite, ports)
        base = (
            environment.from_machine()
            | {
                "HOME": str(self.directory / "home"),
                "TMPDIR": str(self.directory / "tmp"),
                "HOSTNAME": self._pod["metadata"]["name"],
                "HOST": "127.0.0.1",  # a pod is not open to the machine's network
                "TERMINATION_LOG": str(message_file),
                # For what is costly to make and the same for every pod, such as an environment of packages.
                "LOCAL_SHARED_DIR": str(self.directory.parents[1] / "shared"),
            }
            | self._account()
        )
        command = local_command(self._pod, spec, self._context.image_commands)
        # The interpreter comes last: where this program is installed is no path of the pod's.
        argv = with_this_python([rewrite(environment.expand(word, values)) for word in command])
        return Launch(argv=argv, env=base | values, cwd=self._cwd(spec, mounts), **common)

    def _account(self) -> dict[str, str]:
        """How the pod reaches the API server as its ServiceAccount, where it names one or asks for a token."""
        spec = self._pod["spec"]
        account = Account(self._pod["metadata"]["namespace"], spec["serviceAccountName"])
        if not spec.get("automountServiceAccountToken", account.name != "default"):
            return {}
        path = self.directory / "kubeconfig"
        write_private(path, self._context.kubeconfig(account))
        return {"KUBECONFIG": str(path)}

    def _in_docker(self, spec: Object, mounts: volumes.Mounts, common: Object) -> Launch:
        values = environment.resolve(self._context.machinery, self._pod, spec, self._to_services)
        words, args = (
            [self._to_services(environment.expand(word, values)) for word in spec.get(field) or ()]
            for field in ("command", "args")
        )
        for path, _ in mounts.values():
            if path.is_relative_to(self.directory) or path.is_relative_to(self._context.claims):
                _open_to_all(path)
        return Launch(
            argv=words, args=args, env=values, cwd=None, ports=port_map(self._pod), mounts=mounts,
            user=self._user(spec), **common,
        )  # fmt: skip

    def _user(self, spec: Object) -> str | None:
        """The user that the manifest asks for; None leaves it to the image."""
        asked = (self._pod["spec"].get("securityContext") or {}) | (spec.get("securityContext") or {})
        if asked.get("runAsUser") is None:
            return None
        group = asked.get("runAsGroup", asked.get("fsGroup"))
        return str(asked["runAsUser"]) if group is None else f"{asked['runAsUser']}:{group}"

    def _cwd(self, spec: Object, mounts: volumes.Mounts) -> Path:
        """The working directory where it is one of the pod's own, else the pod's."""
        if asked := spec.get("workingDir"):
            path = Path(volumes.rewriter(mounts)(asked))
            if path.is_dir() and str(path) != asked:
                return path
        return self.directory / "work"


def _open_to_all(path: Path) -> None:
    """Users of a container are none of this machine's. What is around the path stays closed to others here."""
    for part in [path, *path.rglob("*")]:
        if not part.is_symlink():
            part.chmod(part.stat().st_mode | (0o777 if part.is_dir() else 0o666))
