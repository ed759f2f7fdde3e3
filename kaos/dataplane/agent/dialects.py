"""How the versions of A2A, 1.0 and 0.3, write the same things."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from kaos.dataplane.agent.store import StoredTask
from kaos.dataplane.agent.tasks import FINAL
from kaos.dataplane.agent.turns import Step

Object = dict[str, Any]

STATES = ("submitted", "working", "input-required", "completed", "canceled", "failed", "rejected", "auth-required")


class Dialect:
    """Tasks, messages and events in the words of one version."""

    def __init__(self, modern: bool) -> None:
        self.modern = modern

    def state_of(self, word: Any) -> str | None:
        """Our word for a state, or None for what is none."""
        plain = str(word).removeprefix("TASK_STATE_").lower().replace("_", "-") if self.modern else word
        return plain if plain in STATES else None

    def task(self, task: StoredTask, history: int | None = None, artifacts: bool = True) -> Object:
        made: Object = {"id": task.id, "contextId": task.context_id, "status": self._status(task)}
        if artifacts and task.answer:
            made["artifacts"] = [self._artifact(task, task.answer)]
        messages = [self._message(task, "user", "question", task.question)]
        if task.answer:
            messages.append(self._message(task, "agent", "answer", task.answer))
        if history is None or history > 0:
            made["history"] = messages[-history:] if history else messages
        return made if self.modern else made | {"kind": "task"}

    def sent(self, task: StoredTask, history: int | None = None) -> Object:
        """The answer to a message, and the first event of a stream."""
        return {"task": self.task(task, history)} if self.modern else self.task(task, history)

    def status_update(self, task: StoredTask, step: Step | None = None) -> Object:
        if step is not None:  # told late perhaps, but it was on the way
            task = replace(task, state="working", problem="")
        update: Object = {"taskId": task.id, "contextId": task.context_id, "status": self._status(task)}
        if step is not None:
            update["metadata"] = {"kaos.step": step.described()}
        if self.modern:
            return {"statusUpdate": update}
        return update | {"kind": "status-update", "final": step is None and task.state in FINAL}

    def artifact_update(self, task: StoredTask, text: str, first: bool) -> Object:
        update: Object = {"taskId": task.id, "contextId": task.context_id, "artifact": self._artifact(task, text)}
        update |= {"append": not first, "lastChunk": False}
        return {"artifactUpdate": update} if self.modern else update | {"kind": "artifact-update"}

    def _status(self, task: StoredTask) -> Object:
        state = f"TASK_STATE_{task.state.upper().replace('-', '_')}" if self.modern else task.state
        at = datetime.fromtimestamp(task.updated, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told: Object = {"state": state, "timestamp": at}
        if task.problem:
            told["message"] = self._message(task, "agent", "problem", task.problem)
        return told

    def _message(self, task: StoredTask, role: str, part: str, text: str) -> Object:
        made: Object = {
            "messageId": f"{task.id}-{part}",
            "contextId": task.context_id,
            "taskId": task.id,
            "role": f"ROLE_{role.upper()}" if self.modern else role,
            "parts": self._parts(text),
        }
        return made if self.modern else made | {"kind": "message"}

    def _artifact(self, task: StoredTask, text: str) -> Object:
        return {"artifactId": f"{task.id}-answer", "name": "answer", "parts": self._parts(text)}

    def _parts(self, text: str) -> list[Object]:
        return [{"text": text}] if self.modern else [{"kind": "text", "text": text}]
