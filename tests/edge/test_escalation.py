"""Confidence from a real llama-server's log-probabilities: certain answers stay at the edge, uncertain ones go on, plain and streamed.

What a reader could get wrong: the tiny model knows one thing for certain (what an easy question is answered with) and babbles otherwise;
which of the two it does can be seen in its log-probabilities only.
"""
import json
import urllib.request

import pytest

from conftest import until

EASY = [{"role": "user", "content": "an easy question"}]
HARD = [{"role": "user", "content": "a hard hard hard question about the river and the bridge"}]
CITY = {"type": "function", "function": {"name": "weather", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "enum": ["Kiel"]}}, "required": ["city"]}}}

pytestmark = pytest.mark.gateway


def ask(client, messages, **more):
    """The raw answer: its headers tell who answered."""
    asked = {"model": "judged", "messages": messages, "max_tokens": 24, "temperature": 0, **more}
    return client.chat.completions.with_raw_response.create(**asked)


def test_a_certain_answer_stays(client):
    answer = ask(client, EASY)
    assert answer.headers["x-tidegate-attempts"] == "small:ok"
    assert float(answer.headers["x-tidegate-confidence"]) >= 0.5
    choice = answer.parse().choices[0]
    assert choice.message.content.startswith("Yes.")
    assert "logprobs" not in choice.model_fields_set, "they were asked for by the gateway, not by us"


def test_an_uncertain_answer_goes_on(client, gateway):
    before = gateway.metric("tidegate_escalations_total", route="judged", reason="logprobs")
    answer = ask(client, HARD)
    assert answer.headers["x-tidegate-attempts"] == "small:low-confidence,frontier:ok"
    assert answer.headers["x-tidegate-escalation"] == "logprobs"
    assert gateway.metric("tidegate_escalations_total", route="judged", reason="logprobs") == before + 1


def test_a_certain_stream_stays_and_is_the_plain_answer(client):
    answer = ask(client, EASY, stream=True)
    assert answer.headers["x-tidegate-attempts"] == "small:ok"
    chunks = list(answer.parse())
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == ask(client, EASY).parse().choices[0].message.content
    assert not any("logprobs" in c.choices[0].model_fields_set for c in chunks)


def test_a_judged_stream_has_no_member_that_another_has_not(client):
    def shape(model):
        chunks = ask(client, EASY, stream=True, model=model).parse()
        return [(sorted(c.model_fields_set), sorted(c.choices[0].model_fields_set)) for c in chunks]
    assert shape("judged") == shape("tiny")


def test_a_long_uncertain_stream_is_given_up_after_a_few_tokens(client, pool):
    answer = ask(client, HARD, stream=True, max_tokens=7000, extra_body={"ignore_eos": True})
    assert answer.headers["x-tidegate-attempts"] == "small:low-confidence,frontier:ok"
    assert answer.headers["x-tidegate-escalation"] == "logprobs"
    assert list(answer.parse())
    assert until(lambda: not any(node.busy() for node in pool), 2), "the node still works for nobody"


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_who_asks_gets_them(client, stream):
    answer = ask(client, EASY, logprobs=True, top_logprobs=2, stream=stream).parse()
    choices = [c.choices[0] for c in answer if c.choices] if stream else answer.choices
    tokens = [token for choice in choices if choice.logprobs for token in choice.logprobs.content]
    assert tokens and len(tokens[0].top_logprobs) == 2


@pytest.mark.parametrize("stream", [False, True])
def test_tools_do_not_stand_in_the_way(client, stream):
    # llama-server takes no log-probabilities together with tools in a stream: they must not be asked for then.
    answer = ask(client, EASY, tools=[CITY], stream=stream)
    assert answer.headers["x-tidegate-attempts"] == "small:ok"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_that_had_to_be_called_is_missed(client, stream):
    # The tiny model calls none; where the server forces it with a grammar, the call is a good one.
    answer = ask(client, EASY, tools=[CITY], tool_choice="required", stream=stream, max_tokens=200)
    attempts = answer.headers["x-tidegate-attempts"]
    assert attempts == "small:ok" or answer.headers["x-tidegate-escalation"] in ("tool-call", "logprobs")


def test_completions_stay_or_go_on(client, gateway):
    body = {"model": "judged", "prompt": "the river and the bridge", "max_tokens": 24, "temperature": 0}
    request = urllib.request.Request(gateway.url + "/v1/completions", json.dumps(body).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        told = json.loads(answer.read())
        assert answer.headers["x-tidegate-confidence"] or answer.headers["x-tidegate-escalation"]
        assert not told["choices"][0].get("logprobs")


def test_responses_are_judged(client):
    answer = client.responses.with_raw_response.create(model="judged", input="an easy question", max_output_tokens=16, temperature=0)
    assert answer.headers["x-tidegate-attempts"] == "small:ok"
    assert answer.headers["x-tidegate-confidence"] == "0.75", "llama-server tells no log-probabilities there"
