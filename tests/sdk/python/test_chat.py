"""Chat completions and completions: plain, streamed, with usage, with tools, given up by the client."""
import json
import uuid

import pytest

from conftest import DIRECT, TIME, USER, WEATHER


def test_chat_answers_and_keeps_unknown_fields(client, mock):
    marker = uuid.uuid4().hex
    answer = client.chat.completions.create(model="chat", messages=USER, temperature=0.25, extra_body={"x_unknown": {"kept": marker}})
    assert answer.choices[0].message.content == "alpha says: " + USER[0]["content"]
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens > 0
    # Both ways: the provider's own fields reach the client, the client's reach the provider.
    assert answer.model_extra["x_mock_unknown"] == "alpha"
    assert answer.usage.model_extra["x_mock_unknown"] == {"kept": True}
    call = mock.only_call()
    assert call.json["x_unknown"] == {"kept": marker}
    assert call.json["temperature"] == 0.25


@pytest.mark.gateway
def test_only_the_model_name_changes_on_the_way(client, mock, sent):
    client.chat.completions.create(model="gpt-4o", messages=USER, extra_body={"x": [1.0, 1e3, 123456789012345678901234567890]})
    assert mock.only_call().raw == sent.requests[0][1].replace(b'"model":"gpt-4o"', b'"model":"alpha-large"')
    assert b'"alpha-large"' in mock.only_call().raw


def test_streamed_chat(client, mock):
    with client.chat.completions.create(model="chat", messages=USER, stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).strip() == "alpha says: " + USER[0]["content"]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    # The gateway asks the provider for usage itself; a client that did not must not see the extra frame or field.
    assert all(c.choices for c in chunks)
    assert all(c.usage is None for c in chunks)


@pytest.mark.gateway
def test_usage_is_asked_for_upstream_when_the_client_does_not(client, mock):
    list(client.chat.completions.create(model="chat", messages=USER, stream=True))
    assert mock.only_call().json["stream_options"] == {"include_usage": True}


def test_streamed_chat_with_usage(client, mock):
    chunks = list(client.chat.completions.create(model="chat", messages=USER, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == chunks[-1].usage.prompt_tokens + chunks[-1].usage.completion_tokens > 0
    assert [c.usage for c in chunks[:-1]] == [None] * (len(chunks) - 1)


def test_long_stream_arrives_whole_and_in_order(client, mock):
    stream = client.chat.completions.create(model="chat", messages=[{"role": "user", "content": "a b c"}], stream=True,
                                            extra_body={"mock": {"chunks": 3000}})
    words = "".join(c.choices[0].delta.content or "" for c in stream).split()
    assert words == (["alpha", "says:", "a", "b", "c"] * 600)


def test_tools(client, mock):
    answer = client.chat.completions.create(model="chat", messages=USER, tools=[WEATHER])
    (call,) = answer.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Kraków", "n": 0})
    assert mock.only_call().json["tools"] == [WEATHER]


def test_parallel_tool_calls_in_a_stream(client, mock):
    seen = {}
    for chunk in client.chat.completions.create(model="chat", messages=USER, tools=[WEATHER, TIME], stream=True):
        for delta in chunk.choices[0].delta.tool_calls or []:
            call = seen.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
            call["arguments"] += delta.function.arguments or ""
    assert [(c["id"], c["name"], json.loads(c["arguments"])) for c in seen.values()] == [
        ("call_mock_0", "weather", {"city": "Kraków", "n": 0}), ("call_mock_1", "time", {"city": "Łódź", "n": 1})]


def test_the_sdks_own_stream_accumulator_accepts_it(client, mock):
    with client.chat.completions.stream(model="chat", messages=USER, tools=[WEATHER, TIME]) as stream:
        final = stream.get_final_completion()
    assert [c.function.name for c in final.choices[0].message.tool_calls] == ["weather", "time"]


def test_legacy_completions(client, mock):
    answer = client.completions.create(model="chat", prompt="tide")
    assert answer.choices[0].text == "alpha says: tide"
    chunks = list(client.completions.create(model="chat", prompt="tide", stream=True))
    assert "".join(c.choices[0].text for c in chunks).split() == ["alpha", "says:", "tide", "alpha", "says:"]


def test_a_client_that_leaves_cancels_the_upstream(client, mock):
    stream = client.chat.completions.create(model="chat", messages=USER, stream=True,
                                            extra_body={"mock": {"chunks": 100000, "chunk_ms": 10}})
    for _, chunk in zip(range(5), stream):
        assert chunk.choices
    stream.close()
    waited = mock.wait_cancelled()
    assert waited["met"], "the provider still streams to nobody"
    # The promise is 100 ms; the rest is for a busy test machine.
    assert waited["waited_ms"] < 1000


def test_a_client_that_leaves_before_the_answer_cancels_the_upstream(client, mock):
    import openai
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3, max_retries=0).chat.completions.create(
            model="chat", messages=USER, extra_body={"mock": {"delay_ms": 1500}})
    assert mock.wait_cancelled(timeout=1.2)["met"]


def test_a_large_body_arrives_whole(client, mock, sent):
    text = "Ł" * 50 + "x" * (1 << 20)
    client.chat.completions.create(model="chat", messages=[{"role": "user", "content": text}], extra_body={"x_unknown": [1, {"a": None}]})
    shrunk = (len(b"alpha-large") - len(b"chat")) if not DIRECT else 0
    assert mock.only_call().length == len(sent.requests[0][1]) + shrunk > (1 << 20)
