"""Who runs the operator, as the Leases tell."""

from __future__ import annotations

from kaos.actions.operators import operators
from kaos.kube import times

OLD = "2026-01-01T00:00:00.000000Z"


def told(client):
    return next(one for one in operators(client) if one.lease == "kaos-operator")


def test_the_holder_tells_what_it_is_and_what_it_watches(client, hold_lease):
    about = {"kaos.tools/version": "1.2", "kaos.tools/namespaces": "a,b", "kaos.tools/runs-in": "cluster"}
    hold_lease(annotations=about, renewTime=times.micro_now(), acquireTime=OLD)
    one = told(client)
    assert (one.fresh, one.since, one.version, one.namespaces, one.place) == (True, OLD, "1.2", ("a", "b"), "cluster")


def test_an_older_holder_tells_nothing_of_itself(client, hold_lease):
    hold_lease(renewTime=OLD)
    one = told(client)
    assert (one.fresh, one.version, one.namespaces, one.place) == (False, "", (), "")


def test_the_local_daemon_is_known_by_its_name(client, hold_lease):
    hold_lease(holderIdentity="kaos-local", renewTime=times.micro_now(), annotations={"kaos.tools/runs-in": "process"})
    one = told(client)
    assert one.place == "local"


def test_leases_of_others_are_not_ours(client, hold_lease):
    hold_lease("kube-scheduler", renewTime=times.micro_now())
    assert "kube-scheduler" not in {one.lease for one in operators(client)}
