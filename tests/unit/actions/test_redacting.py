"""What looks like a secret does not leave the cluster; what helps does."""

from __future__ import annotations

import pytest

from kaos.actions.redacting import HIDDEN, Redactor

CANARY = "c4n4ry-v4lue"


@pytest.mark.parametrize(
    "text",
    [
        f"GET / Authorization: Bearer {CANARY}",
        f"authorization: Basic {CANARY}==",
        f'{{"headers": {{"Authorization": "Token {CANARY}"}}}}',
        f"Cookie: a=b; session={CANARY}",
        f"sent bearer {CANARY} to it",
        f"postgres://ada:{CANARY}@db/x",
        f"https://{CANARY}@example.org/x",
        f"GET /x?api_key={CANARY}&page=2",
        f"GET /x?page=2&access_token={CANARY}",
        f"password={CANARY}",
        f"PASSWORD: {CANARY}",
        f"    api_key: correct horse {CANARY}",
        f'token = "two words {CANARY}"',
        f"{{'client_secret': 'x {CANARY}'}}",
        f'{{"log": "{{\\"apiKey\\": \\"{CANARY}\\"}}"}}',
        f"run --token {CANARY} --verbose",
        f"run --api-key={CANARY}",
        f"X-KAOS-Token: {CANARY}",
        f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----",
        f"the key sk-{CANARY}-abcdefgh is wrong",
        f"ghp_{'a1' * 10}{CANARY}",
    ],
)
def test_a_secret_in_text_is_hidden(text):
    hidden = Redactor().text(text)
    assert CANARY not in hidden
    assert HIDDEN in hidden


@pytest.mark.parametrize(
    "text",
    [
        "SecretNotFound: Secret demo/tok does not exist.",
        "Secret demo/tok does not exist. Create it: kaos secret create tok token -n demo",
        "prompt_tokens: 5, completion_tokens: 3, max_tokens=100",
        "secretKeyRef: {name: tok, key: token}",
        "https://example.org/a@b?page=2",
        "the token is wrong",
        "INFO serving on port 8000",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "obj",
    [
        {"env": [{"name": "GITHUB_TOKEN", "value": CANARY}]},
        {"apiKey": {"value": CANARY}},
        {"args": ["--verbose", "--password", CANARY]},
        {"args": [f"--token={CANARY}"]},
        {"data": {"config.yaml": f"litellm_params:\n  api_key: {CANARY}\n"}},
        {"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": f'{{"a": "{CANARY}"}}'}}},
        {"env": [{"name": "URL", "value": f"https://ada:{CANARY}@example.org"}]},
    ],
)
def test_a_secret_in_an_object_is_hidden(obj):
    assert CANARY not in str(Redactor().object(obj))


def test_references_to_secrets_stay_and_so_does_what_is_plain():
    env = {"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "tok", "key": "token"}}}
    spec = {"automountServiceAccountToken": False, "env": [env, {"name": "LEVEL", "value": "debug"}], "replicas": 2}
    assert Redactor().object(spec) == spec


def test_a_value_hidden_once_is_hidden_in_logs():
    redactor = Redactor()
    redactor.object({"env": [{"name": "DB_PASSWORD", "value": CANARY}]})
    assert redactor.text(f"connecting with {CANARY}!") == f"connecting with {HIDDEN}!"
