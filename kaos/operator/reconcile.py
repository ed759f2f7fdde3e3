"""One pass over one resource: read the world from the cache, decide, make it so, tell the status.

Level-triggered: a pass looks at what is, never at what happened, so that it may be cut anywhere and the next finishes.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from kaos.api import registry
from kaos.api.names import AGENTS, FIELD_MANAGER, MCPSERVERS, MODELAPIS, PART_OF, Reason, child_name
from kaos.cluster.aio import AsyncClient
from kaos.cluster.errors import ApiError
from kaos.kube import times
from kaos.kube.resources import CONFIGMAPS, PODS, SECRETS, SERVICEACCOUNTS
from kaos.operator.cache import Cache
from kaos.operator.decide import health
from kaos.operator.decide.children import is_current
from kaos.operator.decide.world import Child, Decision, Problem, Settings, World, owned_by
from kaos.operator.drift import contains
from kaos.operator.events import EventRecorder
from kaos.operator.handshake import Handshakes
from kaos.operator.kinds import KINDS
from kaos.operator.references import Selection, Watches, named
from kaos.operator.watch import CHILDREN, watched

Object = dict[str, Any]
log = logging.getLogger("kaos.operator")

REFUSED_RETRY_S = 10.0
_REFERENCED = {"ConfigMap": CONFIGMAPS, "Secret": SECRETS}


@dataclass(frozen=True, order=True)
class Key:
    """Which resource a pass is about."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


class Reconciler:
    """Makes what is declared so."""

    def __init__(
        self,
        client: AsyncClient,
        cache: Cache,
        settings: Settings,
        watches: Watches,
        handshakes: Handshakes,
        events: EventRecorder,
        again: Callable[[Key, float], None],
        changed: Callable[[Key], None],
    ) -> None:
        self._client = client
        self._cache = cache
        self._settings = settings
        self._children = tuple(one for one in CHILDREN if one in watched(settings))
        self._watches = watches
        self._handshakes = handshakes
        self._events = events
        self._again = again  # look at the key again in so many seconds
        self._changed = changed  # told whose status we have written: the watch will bring nothing new
        self._settled: dict[tuple[str, str, str], str] = {}  # children that the API server writes in another way
        self._registry: tuple[Any, registry.Registry | None] = (None, None)

    async def reconcile(self, key: Key) -> None:
        """One pass. Raises what the API server or the network says; the queue tries again then."""
        obj = self._cache.get(KINDS[key.kind].resource, key.namespace, key.name)
        if obj is None or obj["metadata"].get("deletionTimestamp"):
            await self._forget(key)  # its children go by their owner references
            return
        await self._see_foreign(key)
        decide = KINDS[key.kind].decide
        decision = decide(obj, self._world(key))
        if await self._watch_mentioned(key, decision):
            decision = decide(obj, self._world(key))
        written, refused = await self._apply(key, obj, decision)
        if written or refused:
            decision = decide(obj, replace(self._world(key), refused=refused))
        if refused:
            self._again(key, REFUSED_RETRY_S)
        await self._tell(obj, decision)
        self._shake_hands(key, decision)

    async def _forget(self, key: Key) -> None:
        self._handshakes.forget(key)
        await self._watches.want(key, frozenset())
        for resource in CHILDREN:
            self._settled.pop((resource.kind, key.namespace, child_name(key.kind, key.name)), None)

    # Reading.

    def _world(self, key: Key) -> World:
        cache, namespace = self._cache, key.namespace
        name = child_name(key.kind, key.name)
        places = [*((resource, name) for resource in self._children), (CONFIGMAPS, f"{name}-config")]
        live = {(r.kind, child): found for r, child in places if (found := cache.get(r, namespace, child))}
        pods = tuple(cache.of(PODS, namespace, key.kind, key.name))
        containers = ((pod, one["name"]) for pod in pods for one in pod["spec"]["containers"])
        self._handshakes.forget(key, {health.identity(pod, name) for pod, name in containers})
        return World(
            settings=self._settings,
            now=times.now(),
            registry=self._read_registry(),
            children=live,
            pods=pods,
            service_accounts=_by_name(cache.all(SERVICEACCOUNTS, namespace)),
            modelapis=_by_name(cache.all(MODELAPIS, namespace)),
            mcpservers=_by_name(cache.all(MCPSERVERS, namespace)),
            agents=_by_name(cache.all(AGENTS, namespace)),
            configmaps=_by_name(cache.all(CONFIGMAPS, namespace)),
            secrets=_by_name(cache.all(SECRETS, namespace)) if self._settings.watch_secrets else None,
            handshakes=self._handshakes.answers(key),
        )

    def _read_registry(self) -> registry.Registry | None:
        configmaps = [
            cm for cm in self._cache.all(CONFIGMAPS, self._settings.system_namespace) if registry.is_registry(cm)
        ]
        versions = {(cm["metadata"]["uid"], cm["metadata"]["resourceVersion"]) for cm in configmaps}
        if self._registry[0] != versions:
            self._registry = (versions, registry.read(configmaps))
        return self._registry[1]

    async def _see_foreign(self, key: Key) -> None:
        """Objects with our children's names that the label selector hides: never to be taken over."""
        name = child_name(key.kind, key.name)
        for resource in self._children:
            known = self._cache.get(resource, key.namespace, name)
            if known is not None and (known["metadata"].get("labels") or {}).get(PART_OF) == "kaos":
                continue
            found = await self._client.find(resource, name, key.namespace)
            if found is not None:
                self._cache.put(resource, found)
            elif known is not None:
                self._cache.remove(resource, known)

    async def _watch_mentioned(self, key: Key, decision: Decision) -> bool:
        """Have what the pod refers to watched; whether that has brought anything new."""
        selections: set[Selection] = set()
        for kind, name in decision.mentions:
            selections.add(named(_REFERENCED[kind], key.namespace, name))
        return await self._watches.want(key, frozenset(selections))

    # Writing.

    async def _apply(self, key: Key, owner: Object, decision: Decision) -> tuple[bool, Problem | None]:
        """Make the children so; whether any was written, and what the API server has against them."""
        written = False
        if decision.children is None:
            if decision.status["reason"] == Reason.CONFLICT:
                self._again(key, REFUSED_RETRY_S)  # nobody tells when a foreign object goes
            return written, None
        try:
            for child in decision.children:
                written |= await self._apply_child(key, child)
            await self._prune(key, owner, decision.children)
        except ApiError as refused:
            if health.is_refusal(refused.code, refused.message) and "being terminated" not in refused.message:
                return written, health.refusal(refused.message)
            raise
        return written, None

    async def _apply_child(self, key: Key, child: Child) -> bool:
        """Whether the child had to be written."""
        name = child.object["metadata"]["name"]
        live = self._cache.get(child.resource, key.namespace, name)
        place = (child.resource.kind, key.namespace, name)
        if live is not None and is_current(live, child):
            if contains(live, child.object) or self._settled.get(place) == _digest(live):
                return False
            log.info("%s: %s %s was changed by others; putting it right", key, child.resource.kind, name)
        made = await self._client.apply(child.resource, child.object, key.namespace, FIELD_MANAGER)
        self._cache.put(child.resource, made)
        if contains(made, child.object):
            self._settled.pop(place, None)
        else:
            self._settled[place] = _digest(made)
        return True

    async def _prune(self, key: Key, owner: Object, children: tuple[Child, ...]) -> None:
        wanted = {(child.resource, child.object["metadata"]["name"]) for child in children}
        for resource in CHILDREN:
            for obj in self._cache.of(resource, key.namespace, key.kind, key.name):
                meta = obj["metadata"]
                if (resource, meta["name"]) in wanted or not owned_by(obj, owner) or meta.get("deletionTimestamp"):
                    continue
                log.info("%s: %s %s is no longer wanted", key, resource.kind, meta["name"])
                await _unless_gone(self._client.delete(resource, meta["name"], key.namespace, meta["uid"]))
                if resource not in self._children:
                    self._cache.remove(resource, obj)  # no watch will tell that it has gone

    async def _tell(self, obj: Object, decision: Decision) -> None:
        """Write the status when it changed, and the event of the change."""
        resource, meta = KINDS[obj["kind"]].resource, obj["metadata"]
        if obj.get("status") != decision.status:
            body = {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": meta["name"], "namespace": meta["namespace"], "uid": meta["uid"]},
                "status": decision.status,
            }
            written = await _unless_gone(
                self._client.apply(resource, body, meta["namespace"], FIELD_MANAGER, subresource="status")
            )
            if written is None:
                return
            self._cache.put(resource, written)
            self._changed(Key(obj["kind"], meta["namespace"], meta["name"]))
        for event in decision.events:
            log.info("%s %s/%s: %s %s", obj["kind"], meta["namespace"], meta["name"], event.reason, event.message)
            await self._events.record(obj, event)

    def _shake_hands(self, key: Key, decision: Decision) -> None:
        if decision.ask is not None:
            due_s = self._handshakes.ask(key, decision.ask)
            self._again(key, due_s)


async def _unless_gone(write: Any) -> Object | None:
    """None when the object has gone, or is another one by now: there is nothing to do for it."""
    try:
        return await write
    except ApiError as refused:
        if refused.code in (404, 409):
            return None
        raise


def _by_name(objects: list[Object]) -> dict[str, Object]:
    return {obj["metadata"]["name"]: obj for obj in objects}


def _digest(live: Object) -> str:
    meta = live["metadata"]
    seen = [live.get("spec"), meta.get("labels"), meta.get("ownerReferences")]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
