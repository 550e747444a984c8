"""Answers from memory as the official client reads them: in the form it asks for, whatever form they came in.

What a reader could get wrong: the gateway's memory outlives a test, and both versions of the SDK use it, so each test asks something that
nobody has asked before. A stream is kept after its client has gone on: the next one asks until it is there.
"""
import concurrent.futures
import json
import os
import time
import uuid

import openai
import pydantic
import pytest

from conftest import CLIENT_KEY, TIME, WEATHER

pytestmark = pytest.mark.gateway


@pytest.fixture
def client(mock):
    with openai.OpenAI(base_url=os.environ["TIDEGATE_CACHE_URL"] + "/v1", api_key=CLIENT_KEY) as client:
        yield client


@pytest.fixture
def asked():
    """What nobody has asked before."""
    return {"model": "chat", "messages": [{"role": "user", "content": f"Where does river {uuid.uuid4().hex} go? Ł 東京 🚢"}]}


def chat(client, **asked):
    raw = client.chat.completions.with_raw_response.create(**asked)
    return raw.headers["x-tidegate-cache"], raw.parse()


def until_hit(ask):
    deadline = time.monotonic() + 10
    while True:
        cache, answer = ask()
        if cache == "hit":
            return answer
        assert time.monotonic() < deadline, "it was not kept"


def text(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def calls_of(chunks):
    seen = {}
    for delta in (d for c in chunks if c.choices for d in c.choices[0].delta.tool_calls or []):
        call = seen.setdefault(delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""})
        call["arguments"] += delta.function.arguments or ""
    return [(c["id"], c["name"], json.loads(c["arguments"])) for c in seen.values()]


CALLS = [("call_mock_0", "weather", {"city": "Kraków", "n": 0}), ("call_mock_1", "time", {"city": "Łódź", "n": 1})]


def test_plain_then_again(client, mock, asked):
    cache, first = chat(client, **asked)
    assert cache == "miss"
    raw = client.chat.completions.with_raw_response.create(**asked, user="ann", metadata={"a": "b"})
    again = raw.parse()
    assert (raw.headers["x-tidegate-cache"], raw.headers["x-tidegate-placement"]) == ("hit", "cache")
    assert int(raw.headers["age"]) >= 0
    assert (again.id, again.choices) == (first.id, first.choices)
    assert again.usage.prompt_tokens_details.cached_tokens == again.usage.prompt_tokens == first.usage.prompt_tokens
    assert again.model_extra == first.model_extra
    assert len(mock.calls()) == 1


@pytest.mark.parametrize("model", ["chat", "paced"])
def test_plain_then_as_a_stream(client, mock, asked, model):
    asked["model"] = model
    _, plain = chat(client, **asked)
    cache, stream = chat(client, **asked, stream=True)
    chunks = list(stream)
    assert cache == "hit"
    assert text(chunks) == plain.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(c.choices and c.usage is None for c in chunks)
    assert {c.id for c in chunks} == {plain.id}
    cache, stream = chat(client, **asked, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert cache == "hit"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == plain.usage.total_tokens
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == plain.usage.prompt_tokens
    assert [c.usage for c in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert len(mock.calls()) == 1


def test_a_stream_then_plain(client, mock, asked):
    cache, stream = chat(client, **asked, stream=True)
    chunks = list(stream)
    assert cache == "miss"
    assert all(c.choices and c.usage is None for c in chunks), "usage was not asked for"
    plain = until_hit(lambda: chat(client, **asked))
    assert plain.choices[0].message.content == text(chunks)
    assert (plain.choices[0].finish_reason, plain.object) == ("stop", "chat.completion")
    assert plain.usage.completion_tokens > 0
    assert len(mock.calls()) == 1


def test_tool_calls_from_memory(client, mock, asked):
    asked["tools"] = [WEATHER, TIME]
    chat(client, **asked)
    cache, stream = chat(client, **asked, stream=True)
    chunks = list(stream)
    assert (cache, calls_of(chunks), chunks[-1].choices[0].finish_reason) == ("hit", CALLS, "tool_calls")
    with client.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    assert [c.function.name for c in final.choices[0].message.tool_calls] == ["weather", "time"]
    assert len(mock.calls()) == 1


def test_tool_calls_of_a_stream_are_put_together(client, mock, asked):
    asked["tools"] = [WEATHER, TIME]
    _, stream = chat(client, **asked, stream=True)
    assert calls_of(list(stream)) == CALLS
    plain = until_hit(lambda: chat(client, **asked)).choices[0]
    assert plain.finish_reason == "tool_calls" and plain.message.content is None
    assert [(c.id, c.function.name, json.loads(c.function.arguments)) for c in plain.message.tool_calls] == CALLS
    assert len(mock.calls()) == 1


class City(pydantic.BaseModel):
    city: str
    n: int


def test_structured_outputs_are_parsed(client, mock, asked):
    asked["extra_body"] = {"mock": {"say": '{"city":"Kiel","n":1}'}}
    for _ in range(2):
        answer = client.chat.completions.parse(**asked, response_format=City)
        assert answer.choices[0].message.parsed == City(city="Kiel", n=1)
    assert len(mock.calls()) == 1
    with client.chat.completions.stream(**asked, response_format=City) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == City(city="Kiel", n=1)
    assert len(mock.calls()) == 1


def test_responses(client, mock):
    said = f"tide {uuid.uuid4().hex}"

    def ask(**more):
        raw = client.responses.with_raw_response.create(model="chat", input=said, **more)
        return raw.headers["x-tidegate-cache"], raw.parse()

    (first, plain), (second, again) = ask(), ask()
    assert (first, second) == ("miss", "hit")
    assert again.output_text == plain.output_text == f"alpha says: {said}"
    cache, stream = ask(stream=True)
    events = list(stream)
    assert cache == "hit"
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[0].type == "response.created" and events[-1].type == "response.completed"
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == plain.output_text
    assert events[-1].response == again
    with client.responses.stream(model="chat", input=said) as stream:
        types = [e.type for e in stream]
        final = stream.get_final_response()
    assert types[-1] == "response.completed" and final.output_text == plain.output_text
    assert len(mock.calls()) == 1


def test_a_streamed_response_then_plain(client, mock):
    said = f"gate {uuid.uuid4().hex}"
    events = list(client.responses.create(model="chat", input=said, stream=True))
    assert events[-1].type == "response.completed"

    def ask():
        raw = client.responses.with_raw_response.create(model="chat", input=said)
        return raw.headers["x-tidegate-cache"], raw.parse()

    plain = until_hit(ask)
    assert (plain.output_text, plain.status, plain.output) == (f"alpha says: {said}", "completed", events[-1].response.output)
    assert len(mock.calls()) == 1


@pytest.mark.parametrize("encoding", [{}, {"encoding_format": "float"}])
def test_embeddings(client, mock, encoding):
    asked = {"model": "chat", "input": [f"tide {uuid.uuid4().hex}", "gate"], **encoding}
    first = client.embeddings.create(**asked)
    raw = client.embeddings.with_raw_response.create(**asked)
    assert raw.headers["x-tidegate-cache"] == "hit"
    assert raw.parse().data == first.data
    assert len(mock.calls()) == 1


def test_legacy_completions(client, mock):
    asked = {"model": "chat", "prompt": f"tide {uuid.uuid4().hex}"}
    plain = client.completions.create(**asked)
    chunks = list(client.completions.create(**asked, stream=True))
    assert "".join(c.choices[0].text for c in chunks) == plain.choices[0].text
    assert len(mock.calls()) == 1


@pytest.mark.parametrize("usage", [False, True])
def test_twenty_identical_streams_make_one_call(client, mock, asked, usage):
    asked["extra_body"] = {"mock": {"delay_ms": 500, "chunks": 40, "chunk_ms": 2}}
    if usage:
        asked["stream_options"] = {"include_usage": True}

    def ask(_):
        cache, stream = chat(client, **asked, stream=True)
        return cache, list(stream)

    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(ask, range(20)))
    assert len(mock.calls()) == 1
    assert sorted({cache for cache, _ in answers} - {"hit"}) == ["coalesced", "miss"]
    assert [cache for cache, _ in answers].count("miss") == 1
    assert len({text(chunks) for _, chunks in answers}) == 1
    for _, chunks in answers:
        finish = [c.choices[0].finish_reason for c in chunks if c.choices]
        assert finish[-1] == "stop" and set(finish[:-1]) == {None}
        assert (chunks[-1].usage is not None) == usage


def test_a_fresh_answer_and_none_from_memory(client, mock, asked):
    _, first = chat(client, **asked)
    cache, fresh = chat(client, **asked, extra_headers={"x-tidegate-cache": "refresh"})
    assert (cache, fresh.id != first.id) == ("miss", True)
    cache, again = chat(client, **asked)
    assert (cache, again.id) == ("hit", fresh.id)
    assert chat(client, **asked, extra_headers={"x-tidegate-cache": "off"})[0] == "off"
    assert chat(client, **asked, temperature=0.7)[0] == "off"
    assert len(mock.calls()) == 4


def test_only_if_cached_is_not_retried(client, mock, asked):
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client, **asked, extra_headers={"cache-control": "only-if-cached"})
    assert (caught.value.status_code, caught.value.code) == (504, "timeout")
    assert mock.calls() == []
