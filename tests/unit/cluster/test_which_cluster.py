"""Which cluster a command speaks to: flags, then environment, saved choice, kubeconfig, in-cluster, local."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kaos.cluster import connection
from kaos.cluster.connection import contexts, resolve, save_context, saved_context
from kaos.errors import KaosError, NoConnection, NotFound, UsageError


def kubeconfig(path: Path, *names: str, current: str | None = None) -> str:
    """A kubeconfig with a context, cluster and user of each name; the first is current unless told otherwise."""
    document = {
        "current-context": names[0] if current is None and names else current,
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name, "namespace": f"ns-{name}"}} for name in names
        ],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443"}} for name in names],
        "users": [{"name": name, "user": {"token": f"token-{name}"}} for name in names],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document))
    return str(path)


class Machine:
    """A home directory and an environment, with as much in them as a case wants."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home, self._monkeypatch = home, monkeypatch
        self.environ = {"HOME": str(home), "KAOS_LOCAL_DIR": str(home / "local")}
        monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", home / "no-service-account")

    def with_kaos_context(self) -> None:
        self.environ["KAOS_CONTEXT"] = "from-variable"

    def with_saved(self) -> None:
        save_context("from-saved", self.environ)

    def with_kubeconfig_variable(self) -> None:
        names = ("current-of-variable", "from-flag", "from-variable", "from-saved")
        self.environ["KUBECONFIG"] = kubeconfig(self.home / "variable.yaml", *names)

    def with_home_kubeconfig(self) -> None:
        kubeconfig(self.home / ".kube/config", "current-of-home", "from-flag", "from-variable", "from-saved")

    def with_service_account(self) -> None:
        account = self.home / "service-account"
        account.mkdir()
        (account / "token").write_text("pod-token\n")
        (account / "namespace").write_text("pod-namespace\n")
        self._monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", account)
        self.environ |= {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    def with_local(self) -> None:
        kubeconfig(self.home / "local/kubeconfig", "kaos-local")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


FILES, POD, LOCAL = ("kubeconfig_variable", "home_kubeconfig"), "service_account", "local"
EVERYTHING = ("kaos_context", "saved", *FILES, POD, LOCAL)


@pytest.mark.parametrize(
    ("there", "flag", "chosen"),
    [
        (EVERYTHING, "from-flag", "from-flag"),
        (EVERYTHING, None, "from-variable"),
        (("saved", *FILES, POD, LOCAL), None, "from-saved"),
        ((*FILES, POD, LOCAL), None, "current-of-variable"),
        (("home_kubeconfig", POD, LOCAL), None, "current-of-home"),
        ((POD, LOCAL), None, "in-cluster"),
        ((LOCAL,), None, "kaos-local"),
        (EVERYTHING, "kaos-local", "kaos-local"),
        (EVERYTHING, "in-cluster", "in-cluster"),
        (("saved", "home_kubeconfig"), None, "from-saved"),
    ],
)
def test_the_first_that_says_something_wins(machine: Machine, there, flag, chosen) -> None:
    for what in there:
        getattr(machine, f"with_{what}")()
    assert resolve(context=flag, environ=machine.environ).context == chosen


def test_the_kubeconfig_flag_names_file_and_context_and_nothing_else_counts(machine: Machine) -> None:
    for what in EVERYTHING:
        getattr(machine, f"with_{what}")()
    mine = kubeconfig(machine.home / "mine.yaml", "mine", "other")
    assert resolve(kubeconfig=mine, environ=machine.environ).context == "mine"
    assert resolve(kubeconfig=mine, context="other", environ=machine.environ).context == "other"
    with pytest.raises(NotFound):
        resolve(kubeconfig=mine, context="from-flag", environ=machine.environ)


def test_a_kubeconfig_may_be_named_from_home(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(machine.home))
    kubeconfig(machine.home / "mine.yaml", "mine")
    assert resolve(kubeconfig="~/mine.yaml", environ=machine.environ).context == "mine"
    assert resolve(environ=machine.environ | {"KUBECONFIG": "~/mine.yaml"}).context == "mine"


def test_saved_and_local_can_be_chosen_by_variable_too(machine: Machine) -> None:
    machine.with_local()
    machine.with_home_kubeconfig()
    assert resolve(environ=machine.environ | {"KAOS_CONTEXT": "kaos-local"}).context == "kaos-local"
    path = save_context("kaos-local", machine.environ)
    assert saved_context(machine.environ) == "kaos-local"
    assert path == machine.home / ".config/kaos/context"
    assert resolve(environ=machine.environ).context == "kaos-local"


def test_saved_choice_and_local_data_follow_xdg(machine: Machine) -> None:
    environ = {"HOME": str(machine.home), "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d"}
    assert connection.local_directory(environ) == Path("/d/kaos/local")
    assert connection._saved_file(environ) == Path("/c/kaos/context")
    assert connection.local_directory({"HOME": "/h"}) == Path("/h/.local/share/kaos/local")


@pytest.mark.parametrize("text", ["", "current-context: ''\n", "apiVersion: v1\nkind: Config\n", "{}"])
def test_a_kubeconfig_that_chooses_nothing_leaves_it_to_what_follows(machine: Machine, text: str) -> None:
    machine.with_local()
    (machine.home / ".kube").mkdir()
    (machine.home / ".kube/config").write_text(text)
    assert resolve(environ=machine.environ).context == "kaos-local"


def test_a_pod_uses_its_service_account_and_namespace(machine: Machine) -> None:
    machine.with_service_account()
    found = resolve(environ=machine.environ)
    assert (found.server, found.namespace) == ("https://10.96.0.1:443", "pod-namespace")
    assert found.headers() == {"Authorization": "Bearer pod-token"}
    (machine.home / "service-account/token").write_text("renewed")
    assert found.headers() == {"Authorization": "Bearer renewed"}, "the kubelet renews it; it is read each time"
    assert resolve(namespace="mine", environ=machine.environ).namespace == "mine"


def test_a_pod_s_api_server_may_have_an_ipv6_address(machine: Machine) -> None:
    machine.with_service_account()
    found = resolve(environ=machine.environ | {"KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert found.server == "https://[fd00::1]:443"


@pytest.mark.parametrize(("flag", "namespace", "given"), [(None, "ns-a", False), ("mine", "mine", True)])
def test_the_namespace_is_the_flag_s_or_the_context_s(machine: Machine, flag, namespace, given) -> None:
    found = resolve(kubeconfig=kubeconfig(machine.home / "k", "a"), namespace=flag, environ=machine.environ)
    assert (found.namespace, found.namespace_given) == (namespace, given)


def test_without_any_namespace_it_is_default(machine: Machine) -> None:
    path = machine.home / "k"
    document = yaml.safe_load(Path(kubeconfig(path, "a")).read_text())
    del document["contexts"][0]["context"]["namespace"]
    path.write_text(yaml.safe_dump(document))
    assert resolve(kubeconfig=str(path), environ=machine.environ).namespace == "default"


def test_of_several_files_the_first_to_name_something_wins(machine: Machine) -> None:
    first = kubeconfig(machine.home / "1", "a", current="")
    second = kubeconfig(machine.home / "2", "b", "a")
    text = Path(second).read_text().replace("https://a:6443", "https://late:6443")
    Path(second).write_text(text)
    environ = machine.environ | {"KUBECONFIG": f"{first}:{machine.home}/missing::{second}"}
    assert resolve(environ=environ).context == "b", "the first current context"
    assert resolve(context="a", environ=environ).server == "https://a:6443"


# What is wrong is said.


def test_nothing_at_all(machine: Machine) -> None:
    with pytest.raises(NoConnection, match="No cluster is known") as told:
        resolve(environ=machine.environ)
    assert told.value.cure == "Start one with nothing but Python: kaos local up"
    assert told.value.exit_code == 4


def test_an_unknown_context_suggests_the_nearest(machine: Machine) -> None:
    path = kubeconfig(machine.home / "k", "production", "staging")
    with pytest.raises(NotFound, match="There is no context 'prodution'") as told:
        resolve(context="prodution", kubeconfig=path, environ=machine.environ)
    assert told.value.cure == "Did you mean production?"
    with pytest.raises(NotFound) as told:
        resolve(context="zzz", kubeconfig=path, environ=machine.environ)
    assert told.value.cure == "See: kaos context list"


def test_a_saved_context_that_is_gone_is_named(machine: Machine) -> None:
    machine.with_saved()
    with pytest.raises(NotFound, match="There is no context 'from-saved'"):
        resolve(environ=machine.environ)


def test_a_local_cluster_that_is_not_running(machine: Machine) -> None:
    with pytest.raises(NoConnection, match="The local cluster is not running") as told:
        resolve(context="kaos-local", environ=machine.environ)
    assert told.value.cure == "Start it: kaos local up"


def test_a_variable_that_names_no_file(machine: Machine) -> None:
    machine.with_local()
    with pytest.raises(NoConnection, match="KUBECONFIG names no file that exists: /nowhere/k"):
        resolve(environ=machine.environ | {"KUBECONFIG": "/nowhere/k"})


@pytest.mark.parametrize(
    ("change", "kind", "words"),
    [
        ("contexts: [", UsageError, "is no kubeconfig: not YAML, line"),
        ("- a", UsageError, "is no kubeconfig: it is no mapping"),
        ("contexts: 5", UsageError, "contexts is no list"),
        ("contexts: [5]", UsageError, "an entry of contexts has no name"),
        ("contexts: [{name: a, context: [1]}]", UsageError, "context a is no mapping"),
        ("contexts: [{name: 5, context: {}}]", UsageError, "an entry of contexts has no name"),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: [1]}}]",
            UsageError,
            "cluster of context a is no text",
        ),
        ("current-context: a\ncontexts: [{name: a, context: {}}]", UsageError, "which has no server"),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: b}}]",
            UsageError,
            "names the cluster 'b', which has no server",
        ),
        ("current-context: a\ncontexts: [{name: a}]\nclusters: [{name: a, cluster: {}}]", UsageError, "has no server"),
        ("current-context: b\ncontexts: [{name: a, context: {cluster: a}}]", NotFound, "There is no context 'b'"),
        ("contexts: [{name: a, context: {cluster: a}}]", NoConnection, "has no current context"),
        ("", NoConnection, "holds no context"),
        ("\x00", UsageError, "is no kubeconfig"),
    ],
)
def test_a_broken_kubeconfig_is_named_with_what_is_wrong(machine: Machine, change, kind, words) -> None:
    path = machine.home / "broken"
    path.write_text(change)
    with pytest.raises(kind) as told:
        resolve(kubeconfig=str(path), environ=machine.environ)
    assert words in told.value.cause
    assert str(path) in told.value.cause or "Context" in told.value.cause
    assert "\n" not in told.value.cause


def test_a_kubeconfig_that_is_not_text_or_a_directory(machine: Machine) -> None:
    (machine.home / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="it is not text"):
        resolve(kubeconfig=str(machine.home / "binary"), environ=machine.environ)
    with pytest.raises(NoConnection, match=r"Cannot read .*: Is a directory"):
        resolve(kubeconfig=str(machine.home), environ=machine.environ)
    with pytest.raises(NoConnection, match="missing does not exist"):
        resolve(kubeconfig=str(machine.home / "missing"), environ=machine.environ)


@pytest.mark.parametrize(
    "server", ["host:6443", "ftp://host", "https://", "https://host:port", "https://host:99999", "/run/x.sock"]
)
def test_a_server_that_is_no_url(machine: Machine, server: str) -> None:
    path = machine.home / "k"
    path.write_text(Path(kubeconfig(path, "a")).read_text().replace("https://a:6443", server))
    with pytest.raises(UsageError, match="is no URL such as https://HOST:PORT"):
        resolve(kubeconfig=str(path), environ=machine.environ)


def test_a_user_who_is_not_there_is_not_taken_for_nobody(machine: Machine) -> None:
    path = machine.home / "k"
    path.write_text(Path(kubeconfig(path, "a")).read_text().replace("user: a", "user: gone"))
    with pytest.raises(UsageError, match="names the user 'gone', who is not in"):
        resolve(kubeconfig=str(path), environ=machine.environ)


# kaos context list.


def test_every_context_is_listed_and_the_one_in_use_marked(machine: Machine) -> None:
    machine.with_kubeconfig_variable()
    machine.with_local()
    found = contexts(machine.environ)
    assert [one.name for one in found] == [
        "current-of-variable",
        "from-flag",
        "from-variable",
        "from-saved",
        "kaos-local",
    ]
    assert [one.name for one in found if one.current] == ["current-of-variable"]
    assert found[0].server == "https://current-of-variable:6443"
    assert found[0].namespace == "ns-current-of-variable"
    machine.with_saved()
    assert [one.name for one in contexts(machine.environ) if one.current] == ["from-saved"]


def test_the_list_survives_a_choice_that_leads_nowhere(machine: Machine) -> None:
    machine.environ["KUBECONFIG"] = kubeconfig(machine.home / "k", "a", current="gone")
    found = contexts(machine.environ)
    assert [(one.name, one.current) for one in found] == [("a", False)]
    (machine.home / "k").write_text("current-context: a\ncontexts: [{name: a, context: {cluster: gone}}]")
    assert [(one.name, one.server) for one in contexts(machine.environ)] == [("a", "")]


def test_kaos_local_is_always_the_local_cluster(machine: Machine) -> None:
    machine.with_local()
    machine.environ["KUBECONFIG"] = kubeconfig(machine.home / "k", "other", "kaos-local")
    found = contexts(machine.environ)
    assert [(one.name, one.source) for one in found] == [
        ("other", str(machine.home / "k")),
        ("kaos-local", str(machine.home / "local/kubeconfig")),
    ]


def test_without_anything_the_list_is_empty(machine: Machine) -> None:
    assert contexts(machine.environ) == []


def test_a_broken_kubeconfig_fails_the_list_in_words(machine: Machine) -> None:
    (machine.home / "k").write_text("[")
    with pytest.raises(KaosError, match="is no kubeconfig"):
        contexts(machine.environ | {"KUBECONFIG": str(machine.home / "k")})
