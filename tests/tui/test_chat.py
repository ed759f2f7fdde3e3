"""Talking to agents and models in the console, on a live local cluster; the mock says what it is told to."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from kaos.actions.kinds import AGENT
from kaos.cluster import Client, resolve
from kaos.kube.resources import PODS
from kaos.tui import places
from kaos.tui.screens import chat
from kaos.tui.talks import talks_of
from kaos.tui.widgets.blocks import Call
from kaos.tui.widgets.chat_side import ChatSide
from kaos.tui.widgets.chrome import CommandLine
from kaos.tui.widgets.composer import Composer
from kaos.tui.widgets.transcript import Transcript
from tests import stories
from tests.tui.conftest import SIZES, assert_snapshot, deployed, screen_text, shows, until

PLAN = """# Plan

The pod **cannot** start: `gh-token` misses a key.

1. Make it again
2. Restart

```yaml
kind: Secret
```
"""


@pytest.fixture(scope="module")
def sample(place):
    return deployed(place, "chats")


@pytest.fixture(scope="module")
def team(place, sample):
    """An agent that delegates to the sample's helper, and a model with a script."""
    text = stories.manifests(
        stories.mcpserver("failing", "code: |\n  def fail(why: str) -> str:\n    raise ValueError(why)\n"),
        stories.agent("boss", mcpServers=["failing"], agentNetwork={"access": ["helper"]},
                      config={"instructions": "Be brief."}),
        stories.modelapi("scripted", mockConfig={"models": ["small", "large"], "responses": [PLAN, "And done."]}),
    )  # fmt: skip
    place.run("apply", "-n", sample, "--wait", "-f", "-", stdin=text).ok()
    return sample


async def say(pilot, text):
    """Write it and send it."""
    pilot.app.screen.query_one(Composer).write(text)
    await pilot.press("enter")


def kill_pod_of(place, agent, namespace):
    """As a lost node does: without a word of farewell."""
    client = Client(resolve(kubeconfig=str(place.kubeconfig)))
    (pod,) = client.list(PODS, namespace, labels=AGENT.selector(agent)).items
    path = PODS.path(namespace, pod["metadata"]["name"])
    client.request("DELETE", path, b'{"gracePeriodSeconds": 0}', {"Content-Type": "application/json"}).close()


async def answered(pilot, *words):
    """The answer is there, with these words on the screen."""
    talk = pilot.app.screen.talk
    await until(pilot, lambda: not talk.busy and all(shows(pilot, word) for word in words))


async def test_an_answer_comes_with_its_calls_and_its_cost(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "what is 2 + 3?")
        await answered(pilot, "you  what is 2 + 3?", "calculator.add", '{"a": 2, "b": 3}', "✔ done",
                       "mock: the tool answered 5", "first word", "in", "out")  # fmt: skip
        assert pilot.app.screen.query_one(Composer).text == ""


async def test_the_command_line_goes_on_with_the_same_conversation(console, sample, place):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "remember me")
        await answered(pilot, "mock: remember me")
        session = pilot.app.screen.talk.session_id
        command = pilot.app.screen.query_one(CommandLine).command
        assert command == f"kaos agent chat helper -n {sample} --session {session}"
        told = place.run(*command.split()[1:], stdin="/memory\n").ok().stderr
        assert "user_message: remember me" in told


async def test_a_read_only_console_lets_the_agent_use_no_tools(console, sample, place):
    async with console(at="agent/helper/chat", read_only=True) as pilot:
        await until(pilot, lambda: shows(pilot, "the agent may use no tools here"))
        await say(pilot, "what is 2 + 3?")
        await answered(pilot, "mock: what is 2 + 3?")
        command = pilot.app.screen.query_one(CommandLine).command
        assert command.endswith(" --no-tools")
        again = place.run(*command.split()[1:], stdin="what is 2 + 3?\n").ok()
        assert again.stdout == "mock: what is 2 + 3?\n"


async def test_keys_are_taken_in_the_order_in_which_they_were_typed(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await pilot.press(*"one:", "enter")
        await answered(pilot, "you  one:", "mock: one:")
        await pilot.press("a", "ctrl+j", "b", "enter")
        await answered(pilot, "mock: a")
        assert pilot.app.screen.talk.last_question == "a\nb"


async def test_a_delegation_shows_what_the_other_agent_did(console, team):
    async with console(at="agent/boss/chat") as pilot:
        await say(pilot, 'call delegate_to_helper {"message": "what is 20 + 30?"}')
        await answered(pilot, "↳ helper (agent)", "answered 50")
        call = next(block for block in pilot.app.screen.talk.blocks if isinstance(block, Call))
        await until(pilot, lambda: call.below)
        await pilot.press("alt+up", "alt+up", "enter")
        await until(pilot, lambda: shows(pilot, 'helper · add  {"a": 20, "b": 30}'))


async def test_a_call_that_fails_says_so_and_shows_why(console, team):
    async with console(at="agent/boss/chat") as pilot:
        await say(pilot, 'call fail {"why": "no such [secret]"}')
        await answered(pilot, "failing.fail", "✖ failed", "no such [secret]")


async def test_escape_stops_the_answer_and_the_agent_notices(console, sample, place):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "stall")
        await until(pilot, lambda: shows(pilot, "thinking"))
        await pilot.press("escape")
        await answered(pilot, "■ stopped after")
        assert pilot.app.here.view == "chat"
        session = pilot.app.screen.talk.session_id

        def noticed():
            told = place.run("agent", "memory", "helper", "-n", sample, "--session", session, "-o", "json").ok()
            return any("has gone" in str(event["data"]) for event in json.loads(told.stdout))

        await until(pilot, noticed)
        await say(pilot, "still there?")
        await answered(pilot, "mock: still there?")


async def test_an_escape_that_comes_too_late_to_stop_it_does_not_leave_the_chat(console, sample, monkeypatch):
    monkeypatch.setattr(chat, "JUST_ENDED_S", 60.0)
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "quick")
        await until(pilot, lambda: not pilot.app.screen.talk.busy)
        await pilot.press("escape")
        assert pilot.app.here.view == "chat"


async def test_a_failure_is_told_in_words_and_the_question_comes_back(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "error 503")
        await answered(pilot, "✖ ", "mock: asked to fail with 503", "ctrl+r tries again")
        composer = pilot.app.screen.query_one(Composer)
        assert composer.text == "error 503"
        await pilot.press("ctrl+r")
        await answered(pilot, "asked to fail")
        assert screen_text(pilot).count("you  error 503") == 1  # the second attempt in place of the first


async def test_an_answer_that_is_cut_off_stays_and_is_told(console, sample, place):
    text = stories.manifests(
        stories.modelapi("slow", mockConfig={"models": ["mock"], "latency": "60s", "responses": [PLAN * 20]}),
        stories.agent("mayfly", modelAPI="slow"),
    )
    place.run("apply", "-n", sample, "--wait", "-f", "-", stdin=text).ok()
    async with console(at="agent/mayfly/chat") as pilot:
        await say(pilot, "go")
        await until(pilot, lambda: shows(pilot, "The pod cannot start"))  # Markdown, while it still comes
        assert shows(pilot, "answering")
        kill_pod_of(place, "mayfly", sample)
        await answered(pilot, "The pod cannot start", "✖ ", "ctrl+r tries again")
        assert "**" not in screen_text(pilot)


async def test_an_agent_that_is_not_there_is_told_in_words(console, sample):
    async with console(at="agent/nobody/chat") as pilot:
        await say(pilot, "hello")
        await answered(pilot, "no Agent nobody")
        assert pilot.app.screen.query_one(Composer).text == "hello"


async def test_an_earlier_question_is_asked_again_in_other_words(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "first try")
        await answered(pilot, "mock: first try")
        await pilot.press("alt+up", "up", "e")
        composer = pilot.app.screen.query_one(Composer)
        assert composer.text == "first try"
        await pilot.press(*" again", "enter")
        await answered(pilot, "mock: first try again")


async def test_below_the_last_block_one_writes_again(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "hello")
        await answered(pilot, "mock: hello")
        await pilot.press("ctrl+up", "up", "down", "down")
        await until(pilot, lambda: pilot.app.screen.query_one(Composer).has_focus)
        await pilot.press(*"next")
        assert pilot.app.screen.query_one(Composer).text == "next"


async def test_pages_are_turned_while_one_writes(console, sample):
    async with console(size=(80, 24), at="agent/helper/chat") as pilot:
        await say(pilot, "\n".join(f"line {n}" for n in range(60)))
        await answered(pilot, "mock: line 0", "line 59", "first word")
        await pilot.press("x", "pageup", "pageup", "pageup", "pageup", "pageup", "pageup", "pageup")
        await until(pilot, lambda: shows(pilot, "you  line 0") and shows(pilot, "▼ "))
        assert pilot.app.screen.query_one(Composer).text == "x"
        await pilot.press("pagedown")
        await until(pilot, lambda: not shows(pilot, "you  line 0"))


async def test_what_was_sent_comes_back_with_the_arrow_and_is_kept_for_its_owner_alone(console, sample, tmp_path):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "older")
        await answered(pilot, "mock: older")
        await say(pilot, "newer")
        await answered(pilot, "mock: newer")
        await pilot.press("d", "up")
        composer = pilot.app.screen.query_one(Composer)
        assert composer.text == "newer"
        await pilot.press("up")
        assert composer.text == "older"
        await pilot.press("down", "down")
        assert composer.text == "d"
    kept = Path(tmp_path / "state/kaos/messages.jsonl")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    async with console(at="agent/helper/chat") as pilot:
        await pilot.press("up")
        assert pilot.app.screen.query_one(Composer).text == "newer"


async def test_an_earlier_session_is_opened_and_gone_on_with(console, sample, place):
    said = place.run("agent", "invoke", "helper", "-n", sample, "--session", "tuesday", "-m", "what is 7 + 8?").ok()
    assert "15" in said.stdout
    async with console(at="agent/helper/chat/tuesday") as pilot:
        await until(pilot, lambda: shows(pilot, "you  what is 7 + 8?") and shows(pilot, "mock: the tool answered 15"))
        assert shows(pilot, "add")
        await say(pilot, "and more")
        await answered(pilot, "mock: and more")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: not shows(pilot, "you  "))
        await pilot.press("ctrl+o")
        await until(pilot, lambda: shows(pilot, "Sessions of helper") and shows(pilot, "ago   and more"))
        assert shows(pilot, "tuesday")
        await pilot.press("enter")  # the last one used comes first
        await until(pilot, lambda: shows(pilot, "you  and more"))
        assert pilot.app.screen.talk.session_id == "tuesday"


async def test_several_conversations_go_on_side_by_side(console, team):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "stall")
        await until(pilot, lambda: shows(pilot, "thinking"))
        await pilot.press("colon", *"chat boss", "enter")
        await until(pilot, lambda: pilot.app.here.name == "boss")
        assert shows(pilot, "helper ⟳ busy   ▸ boss")
        await say(pilot, "hello")
        await answered(pilot, "mock: hello")
        await pilot.press("ctrl+g")
        await until(pilot, lambda: pilot.app.here.name == "helper" and shows(pilot, "you  stall"))
        assert pilot.app.screen.talk.busy
        await pilot.press("escape")
        await answered(pilot, "■ stopped")


async def test_an_answer_that_comes_while_one_looks_elsewhere_is_told(console, team):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "stall")
        await until(pilot, lambda: shows(pilot, "thinking"))
        pilot.app.go(places.parse("agent"))
        await until(pilot, lambda: pilot.app.here.view == "list")
        next(iter(talks_of(pilot.app.session).values())).stop()
        await until(pilot, lambda: shows(pilot, "helper has answered."))


async def test_memory_leads_back_to_the_same_conversation(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await say(pilot, "remember this")
        await answered(pilot, "mock: remember this")
        screen, session = pilot.app.screen, pilot.app.screen.talk.session_id
        await pilot.press("ctrl+l")
        await until(pilot, lambda: pilot.app.here.view == "memory" and shows(pilot, "mock: remember this"))
        await pilot.press("i")
        await until(pilot, lambda: pilot.app.screen is screen and shows(pilot, "you  remember this"))
        assert screen.talk.session_id == session
        await pilot.press("escape")
        assert pilot.app.here == places.HOME


async def test_a_call_leads_to_the_logs_of_its_server_and_to_the_trace(console, sample):
    async with console(at="agent/helper/chat") as pilot:
        await until(pilot, lambda: pilot.app.screen.talk.belongings)
        await say(pilot, "what is 2 + 3?")
        await answered(pilot, "calculator.add", "mock: the tool answered 5")
        await pilot.press("alt+up", "up", "l")
        await until(pilot, lambda: pilot.app.here == places.Place("logs", "mcp", sample, "calculator"))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.here.view == "chat")
        await pilot.press("alt+up", "t")
        await until(pilot, lambda: pilot.app.here.view == "trace")


async def test_a_draft_is_there_when_one_comes_back(console, team):
    async with console(at="agent/helper/chat") as pilot:
        await pilot.press(*"half a")
        pilot.app.go(places.parse("agent/boss/chat"))
        await until(pilot, lambda: pilot.app.here.name == "boss")
        assert pilot.app.screen.query_one(Composer).text == ""
        pilot.app.back()
        await until(pilot, lambda: pilot.app.here.name == "helper")
        assert pilot.app.screen.query_one(Composer).text == "half a"


async def test_tools_and_instructions_stand_beside_it_where_there_is_room(console, team):
    async with console(size=(160, 40), at="agent/boss/chat") as pilot:
        await until(
            pilot, lambda: shows(pilot, "failing.fail") and shows(pilot, "Be brief.") and shows(pilot, "↳ helper")
        )
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: not pilot.app.screen.query_one(ChatSide).display)
        await pilot.press("ctrl+t")
        await until(pilot, lambda: shows(pilot, "failing.fail"))


async def test_a_model_is_talked_to_in_the_same_way(console, team):
    async with console(at="modelapi/scripted/chat") as pilot:
        await say(pilot, "go")
        await answered(pilot, "Which model of ModelAPI scripted?")
        await say(pilot, "/model small")
        await say(pilot, "go")
        await answered(pilot, "The pod cannot start", "kind: Secret", "small")
        await say(pilot, "next")
        await answered(pilot, "And done.")  # the script's second answer: the model was sent the whole conversation
        command = pilot.app.screen.query_one(CommandLine).command
        assert command == f"kaos modelapi invoke scripted -n {team} --model small -m next"


async def test_a_model_forgets_what_came_after_an_edited_question(console, team):
    async with console(at="modelapi/scripted/chat") as pilot:
        await say(pilot, "/model small")
        await say(pilot, "go")
        await answered(pilot, "The pod cannot start")
        await pilot.press("alt+up", "up", "e", "enter")
        await answered(pilot, "The pod cannot start")
        assert screen_text(pilot).count("you  go") == 1


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_it_looks_the_same_in_every_terminal(console, team, size):
    async with console(size=size, at="agent/boss/chat") as pilot:
        await until(pilot, lambda: pilot.app.screen.talk.belongings)
        pilot.app.screen.talk.session_id = f"{size[0]:08}"
        pilot.app.screen.refresh_chrome()
        await pilot.pause()
        assert_snapshot(pilot, "chat-new")
        await say(pilot, 'call fail {"why": "no"}')
        await answered(pilot, "✖ failed")
        await say(pilot, 'call delegate_to_helper {"message": "what is 20 + 30?"}')
        await answered(pilot, "answered 50")
        await pilot.press("alt+up", "up", "enter")
        await until(pilot, lambda: shows(pilot, "helper · add"))
        pilot.app.screen.query_one(Transcript).action_ends(1)
        await pilot.pause()
        assert_snapshot(pilot, "chat")
