"""A real llama-server's answers, kept and told again in the other form, and one of its streams for several clients.

What a reader could get wrong: a stream is kept after its client has gone on, so the next one asks until it is there; each test
asks something that no other test asks (`seed` is part of the key).
"""
import concurrent.futures
import itertools

import pytest

from conftest import until

pytestmark = pytest.mark.gateway
seeds = itertools.count(1000)


@pytest.fixture
def asked():
    words = [{"role": "user", "content": "a hard question about the river and the bridge"}]
    return {"model": "kept", "messages": words, "max_tokens": 24, "temperature": 0, "seed": next(seeds)}


def ask(client, **asked):
    raw = client.chat.completions.with_raw_response.create(**asked)
    return raw.headers["x-tidegate-cache"], raw.parse()


def text(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def test_a_stream_then_plain(client, pool, asked):
    cache, stream = ask(client, **asked, stream=True)
    chunks = list(stream)
    assert cache == "miss" and text(chunks)

    def hit():
        cache, plain = ask(client, **asked)
        return plain if cache == "hit" else None

    plain = until(hit)
    assert plain, "it was not kept"
    assert plain.choices[0].message.content == text(chunks)
    assert plain.choices[0].finish_reason == chunks[-1].choices[0].finish_reason
    assert plain.usage.completion_tokens > 0
    # What was made of the stream is what the server itself says when it is asked for a plain answer.
    own = client.chat.completions.create(**{**asked, "model": "tiny"})
    assert own.choices[0].message.content == plain.choices[0].message.content
    assert own.usage.completion_tokens == plain.usage.completion_tokens


def test_plain_then_a_stream(client, pool, asked):
    _, plain = ask(client, **asked)
    read = [n.prompt_tokens() for n in pool]
    cache, stream = ask(client, **asked, stream=True, stream_options={"include_usage": True})
    chunks = list(stream)
    assert cache == "hit" and text(chunks) == plain.choices[0].message.content
    assert chunks[-1].usage.completion_tokens == plain.usage.completion_tokens
    assert [n.prompt_tokens() for n in pool] == read, "no node was asked"


def test_log_probabilities_are_told_again(client, asked):
    asked |= {"logprobs": True, "top_logprobs": 2}
    _, plain = ask(client, **asked)
    cache, stream = ask(client, **asked, stream=True)
    again = [token for c in stream for token in (c.choices[0].logprobs.content if c.choices[0].logprobs else None) or []]
    assert cache == "hit"
    assert [(t.token, t.logprob) for t in again] == [(t.token, t.logprob) for t in plain.choices[0].logprobs.content]


def test_one_stream_for_several_clients(client, pool, gateway, asked):
    asked |= {"max_tokens": 2000, "extra_body": {"ignore_eos": True}}
    first = client.chat.completions.with_raw_response.create(**asked, stream=True)
    assert first.headers["x-tidegate-cache"] == "miss"
    assert sum(len(node.busy()) for node in pool) == 1
    with concurrent.futures.ThreadPoolExecutor(2) as others:
        following = list(others.map(lambda _: client.chat.completions.with_raw_response.create(**asked, stream=True), range(2)))
        assert [raw.headers["x-tidegate-cache"] for raw in following] == ["coalesced"] * 2
        assert sum(len(node.busy()) for node in pool) == 1, "they share one slot"
        told = list(others.map(lambda raw: text(raw.parse()), following))
    assert told == [text(first.parse())] * 2 and len(told[0]) > 100


def test_the_others_go_on_when_the_first_one_leaves(client, pool, asked):
    asked |= {"max_tokens": 2000, "extra_body": {"ignore_eos": True}}
    first = client.chat.completions.create(**asked, stream=True)
    second = client.chat.completions.with_raw_response.create(**asked, stream=True)
    assert second.headers["x-tidegate-cache"] == "coalesced"
    next(iter(first))
    first.close()
    chunks = list(second.parse())
    assert chunks[-1].choices[0].finish_reason == "length" and len(text(chunks)) > 100
    cache, plain = ask(client, **asked)
    assert cache in ("hit", "coalesced") and plain.choices[0].message.content == text(chunks)
