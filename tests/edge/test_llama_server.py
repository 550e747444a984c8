"""The official Python SDK, base URL swapped, through a real llama.cpp server."""
import json

import openai
import pytest

from conftest import get, until

EASY = [{"role": "user", "content": "an easy question"}]
HARD = [{"role": "user", "content": "a hard hard hard question about the river and the bridge"}]
CITY = {"type": "function", "function": {"name": "weather", "description": "the weather of a city", "parameters": {
    "type": "object", "properties": {"city": {"type": "string", "enum": ["Kiel"]}}, "required": ["city"]}}}


def test_chat(client):
    answer = client.chat.completions.create(model="tiny", messages=EASY, max_tokens=16, temperature=0)
    assert answer.choices[0].message.content.startswith("Yes.")
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    # llama-server's own fields are kept.
    assert answer.model_extra["timings"]["predicted_n"] > 0


def test_stream(client):
    chunks = list(client.chat.completions.create(model="tiny", messages=EASY, max_tokens=16, temperature=0, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks).startswith("Yes.")
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert all(c.choices and c.usage is None for c in chunks), "usage was not asked for"


def test_stream_and_plain_answer_agree(client):
    asked = {"model": "tiny", "messages": HARD, "max_tokens": 24, "temperature": 0, "seed": 7}
    plain = client.chat.completions.create(**asked).choices[0].message.content
    assert plain == "".join(c.choices[0].delta.content or "" for c in client.chat.completions.create(**asked, stream=True))


def test_stream_with_usage(client):
    chunks = list(client.chat.completions.create(model="tiny", messages=EASY, max_tokens=16, stream=True,
                                                 stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens > 0


def test_log_probabilities_tell_confidence(client):
    def mean(messages):
        answer = client.chat.completions.create(model="tiny", messages=messages, max_tokens=8, temperature=0, logprobs=True, top_logprobs=2)
        logprobs = [t.logprob for t in answer.choices[0].logprobs.content]
        return sum(logprobs) / len(logprobs)
    assert mean(EASY) > -1
    assert mean(HARD) < -2


def test_tools_are_accepted(client):
    # The tiny model cannot call them (tool calls are tested in tests/sdk); that the real server takes the request can be seen.
    answer = client.chat.completions.create(model="tiny", messages=EASY, tools=[CITY], max_tokens=16, temperature=0)
    assert answer.choices[0].message.content.startswith("Yes.")


def test_structured_output_is_forced_by_the_servers_grammar(client):
    answer = client.chat.completions.create(model="tiny", messages=EASY, max_tokens=200, temperature=0, response_format={
        "type": "json_schema", "json_schema": {"name": "city", "strict": True, "schema": CITY["function"]["parameters"]}})
    assert json.loads(answer.choices[0].message.content) == {"city": "Kiel"}


def test_responses(client):
    assert client.responses.create(model="tiny", input="an easy question", max_output_tokens=16, temperature=0).output_text.startswith("Yes.")


def test_a_prompt_too_long_is_the_clients_400(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "river bridge " * 9000}], max_tokens=4)
    assert "context" in caught.value.message


def test_a_stream_too_long_is_a_400_before_any_event(client):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "river bridge " * 9000}], stream=True)


@pytest.mark.gateway
def test_errors_are_in_the_openai_shape(client):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="tiny", messages=[{"role": "user", "content": "river bridge " * 9000}])
    error = caught.value.response.json()["error"]
    assert error["code"] is None or isinstance(error["code"], str), "llama-server's code is a number"
    assert {"message", "type", "param", "code"} <= set(error)


def test_embeddings_that_are_not_enabled_are_an_error(client, pool):
    with pytest.raises(openai.APIStatusError) as caught:
        client.embeddings.create(model="tiny", input="tide")
    assert caught.value.status_code >= 500
    assert str(pool[0].port) not in caught.value.message and str(pool[1].port) not in caught.value.message


@pytest.mark.gateway
def test_models_can_be_retrieved(client):
    assert client.models.retrieve("tiny").id == "tiny"
    assert {"tiny", "auto", "gpt-4o"} <= {m.id for m in client.models.list()}


def test_a_client_that_leaves_frees_the_slot(client, pool):
    stream = client.chat.completions.create(model="tiny", messages=HARD, max_tokens=7000, stream=True,
                                            extra_body={"ignore_eos": True})
    next(iter(stream))
    assert any(node.busy() for node in pool)
    stream.close()
    assert until(lambda: not any(node.busy() for node in pool), 2), "the node still works for nobody"


@pytest.mark.gateway
def test_headers_say_edge(client):
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=EASY, max_tokens=4)
    assert answer.headers["x-tidegate-placement"] == "edge"
    assert answer.headers["x-tidegate-attempts"] == "small:ok"
    assert answer.headers["x-tidegate-route"] == "auto"


@pytest.mark.gateway
def test_both_nodes_work(client, nodes):
    before = [n.prompt_tokens() for n in nodes]
    streams = [client.chat.completions.create(model="tiny", messages=HARD, max_tokens=2000, stream=True, extra_body={"ignore_eos": True})
               for _ in range(4)]
    assert [len(n.busy()) for n in nodes] == [2, 2], "least-load spreads four streams over two nodes"
    for stream in streams:
        stream.close()
    assert all(n.prompt_tokens() > b for n, b in zip(nodes, before))


@pytest.mark.gateway
def test_admin_tells_health(gateway):
    assert get(gateway.admin + "/livez")[0] == 200
    assert get(gateway.admin + "/readyz")[0] == 200
    assert gateway.metric("tidegate_upstream_up", upstream="lab") == 2
