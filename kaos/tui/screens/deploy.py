"""A new resource: YAML to begin with, judged by the server while it is written."""

from __future__ import annotations

from kaos.actions import drafts
from kaos.actions.drafts import Draft
from kaos.tui.kinds import BY_COMMAND
from kaos.tui.places import Place
from kaos.tui.screens.edit import YamlScreen

_FIRST = {
    "mcp": '''\
apiVersion: kaos.tools/v1alpha1
kind: MCPServer
metadata:
  name: calculator
spec:
  runtime: rawpython
  params: |
    code: |
      def add(a: int, b: int) -> int:
          """Add two numbers."""
          return a + b
''',
    "agent": """\
apiVersion: kaos.tools/v1alpha1
kind: Agent
metadata:
  name: helper
spec:
  modelAPI: mock
  model: mock
  mcpServers: [calculator]
  config:
    description: What it is for
    instructions: What it should do
""",
    "modelapi": """\
apiVersion: kaos.tools/v1alpha1
kind: ModelAPI
metadata:
  name: mock
spec:
  type: mock          # or proxy (a provider behind LiteLLM), or hosted (Ollama)
""",
}
_OF_A_RUNTIME = """\
apiVersion: kaos.tools/v1alpha1
kind: MCPServer
metadata:
  name: {name}
spec:
  runtime: {runtime}
"""


class DeployScreen(YamlScreen):
    """`place.kind` is what to make, `place.item` the runtime of an MCPServer, if one was chosen."""

    def __init__(self, place: Place) -> None:
        runtime = place.item
        text = _OF_A_RUNTIME.format(name=runtime, runtime=runtime) if runtime not in ("", "rawpython") else None
        super().__init__(place, text or _FIRST[place.kind])

    def crumbs(self) -> tuple[str, ...]:
        return self._namespace, self.place.kind, "new"

    def argv(self) -> tuple[str, ...]:
        return self.place.kind, "deploy", "-f", "-", "-n", self._namespace

    @property
    def _namespace(self) -> str:
        session = self.session
        return (
            self.place.namespace
            or session.namespace
            or (session.connection.namespace if session.connection else "default")
        )

    def judge(self, text: str) -> Draft:
        return drafts.new(self.session.client(), text, self._namespace)

    def take(self, draft: Draft) -> str:
        done = drafts.apply(self.session.client(), draft)
        self._made = done[-1]
        return f"{', '.join(obj['metadata']['name'] for obj in done)} deployed"

    def taken(self) -> None:
        kind = next(kind for kind in BY_COMMAND.values() if kind.title == self._made["kind"])
        meta = self._made["metadata"]
        self.console.back()
        self.console.go(Place("detail", kind.command, meta["namespace"], meta["name"]))
