"""Errors as the SDK types them, and who retries: the gateway tries its targets, the SDK must not multiply that."""
import json
import time

import openai
import pytest

from conftest import DIRECT, TIME, USER, WEATHER

SECRETS = ["sk-provider-alpha", "sk-provider-beta", "azure-provider-key", "127.0.0.1"]


def failing(**mock):
    return {"mock": mock}


def assert_openai_error(error, status):
    """The OpenAI shape, and nothing private in it."""
    assert error.status_code == status
    body = error.response.json()
    assert set(body) == {"error"}
    assert {"message", "type", "param", "code"} <= set(body["error"])
    assert body["error"]["code"] is None or isinstance(body["error"]["code"], str)
    for secret in SECRETS:
        assert secret not in json.dumps(body)


@pytest.mark.gateway
def test_unknown_model(client, mock, sent):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="gpt-nothing", messages=USER)
    assert_openai_error(caught.value, 404)
    assert caught.value.code == "model_not_found"
    assert "gpt-nothing" in caught.value.message
    assert (sent.count, mock.calls()) == (1, [])


@pytest.mark.gateway
def test_unknown_model_cannot_be_retrieved(client, mock):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-nothing")
    assert caught.value.code == "model_not_found"


@pytest.mark.gateway
def test_malformed_json(client, mock):
    for body in [b'{"model": "chat", "messages": [', b"", b"[]", b'{"messages": []}', b'{"model": 7, "messages": []}', b"\xff\xfe{}"]:
        with pytest.raises(openai.BadRequestError) as caught:
            client.post("/chat/completions", cast_to=object, content=body, options={"headers": {"content-type": "application/json"}})
        assert_openai_error(caught.value, 400)
        assert caught.value.type == "invalid_request_error"
    assert mock.calls() == []


def test_an_upstreams_400_passes_through(client, mock, sent):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="chat", messages=USER, extra_body=failing(status=400, code="mock_code", message="bad tide"))
    assert_openai_error(caught.value, 400)
    assert (caught.value.code, "bad tide" in caught.value.message) == ("mock_code", True)
    assert (sent.count, len(mock.calls())) == (1, 1)


@pytest.mark.gateway
def test_an_upstreams_400_is_not_tried_elsewhere(client, mock):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="failover", messages=USER, extra_body=failing(status=400, only=["alpha"]))
    assert [c.provider for c in mock.calls()] == ["alpha"]


@pytest.mark.gateway
def test_429_everywhere_is_a_rate_limit_error_and_the_sdk_does_not_multiply_it(client, mock, sent):
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="failover", messages=USER, extra_body=failing(status=429, retry_after="0"))
    assert_openai_error(caught.value, 429)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert sent.count == 1
    assert {c.provider for c in mock.calls()} == {"alpha", "beta"}
    assert len(mock.calls()) <= 3


@pytest.mark.gateway
@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_5xx_everywhere_is_told_once(client, mock, sent, status):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="failover", messages=USER, extra_body=failing(status=status))
    assert caught.value.status_code >= 500
    assert_openai_error(caught.value, caught.value.status_code)
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert sent.count == 1
    assert {c.provider for c in mock.calls()} == {"alpha", "beta"}
    assert len(mock.calls()) <= 3


@pytest.mark.gateway
def test_nothing_reachable(client, mock, sent):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="all-dead", messages=USER)
    assert caught.value.status_code in (502, 503, 504)
    assert_openai_error(caught.value, caught.value.status_code)
    assert sent.count == 1


@pytest.mark.gateway
def test_no_eligible_target_names_the_constraint(client, mock, sent):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="chat", messages=USER, extra_headers={"x-tidegate-placement": "only-edge"})
    assert_openai_error(caught.value, 503)
    assert caught.value.code == "no_eligible_target"
    assert "placement" in caught.value.message
    assert (sent.count, mock.calls()) == (1, [])


@pytest.mark.gateway
def test_a_prompt_beyond_every_context_window(client, mock):
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="small", messages=[{"role": "user", "content": "tide " * 1000}])
    assert "context" in caught.value.message
    assert mock.calls() == []


@pytest.mark.gateway
def test_a_bad_hint_is_the_clients_fault(client, mock):
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="chat", messages=USER, extra_headers={"x-tidegate-placement": "the-moon"})
    assert "only-edge" in caught.value.message, "the message names what is allowed"


@pytest.mark.gateway
@pytest.mark.parametrize("how", ["reset", "close", "error-event", "stall"])
def test_a_stream_that_breaks_raises_and_is_never_taken_for_complete(client, mock, how):
    seen = []
    with pytest.raises(openai.APIError) as caught:
        for chunk in client.chat.completions.create(model="failover", messages=USER, stream=True,
                                                    extra_body=failing(chunks=50, **{"break": {"after": 5, "how": how}})):
            seen.append(chunk)
    assert not isinstance(caught.value, openai.APIConnectionError), "an error event, not a cut connection"
    assert len(seen) == 5
    assert [c.provider for c in mock.calls()] == ["alpha"], "what has begun is never silently taken over"


@pytest.mark.gateway
def test_a_broken_stream_ends_without_done(client, mock):
    with client.chat.completions.with_streaming_response.create(
            model="chat", messages=USER, stream=True, extra_body=failing(chunks=50, **{"break": {"after": 5, "how": "reset"}})) as answer:
        text = answer.read().decode()
    assert "[DONE]" not in text
    assert '"error"' in text.rstrip().split("\n\n")[-1]


@pytest.mark.gateway
def test_failover_on_connect_error(client, mock, sent):
    answer = client.chat.completions.with_raw_response.create(model="dead-first", messages=USER)
    assert answer.parse().choices[0].message.content.startswith("beta says")
    assert answer.headers["x-tidegate-model"] == "beta-model"
    first, second = answer.headers["x-tidegate-attempts"].split(",")
    assert first.startswith("dead-model:") and second == "beta-model:ok"
    assert sent.count == 1


@pytest.mark.gateway
@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("stream", [False, True])
def test_failover_on_status(client, mock, sent, status, stream):
    answer = client.chat.completions.with_raw_response.create(model="failover", messages=USER, stream=stream,
                                                              extra_body=failing(status=status, only=["alpha"]))
    parsed = answer.parse()
    if stream:
        text = "".join(c.choices[0].delta.content or "" for c in parsed)
    else:
        text = parsed.choices[0].message.content
    assert text.startswith("beta says")
    assert answer.headers["x-tidegate-upstream"] == "beta"
    assert sent.count == 1


@pytest.mark.gateway
def test_failover_on_a_late_first_token(client, mock):
    started = time.monotonic()
    answer = client.chat.completions.create(model="failover", messages=USER, stream=True,
                                            extra_body=failing(only=["alpha"], **{"break": {"after": 0, "how": "stall"}}))
    text = "".join(c.choices[0].delta.content or "" for c in answer)
    assert text.startswith("beta says")
    assert time.monotonic() - started < 10


@pytest.mark.gateway
def test_tools_follow_the_rule_and_text_stays_at_the_edge(client, mock):
    text = client.chat.completions.with_raw_response.create(model="hybrid", messages=USER)
    tools = client.chat.completions.with_raw_response.create(model="hybrid", messages=USER, tools=[WEATHER, TIME])
    assert [(a.headers["x-tidegate-placement"], a.headers["x-tidegate-rule"]) for a in (text, tools)] == [
        ("edge", "rest"), ("cloud", "tools-go-to-the-cloud")]
    assert [c.provider for c in mock.calls()] == ["edge", "alpha"]


def test_the_mock_can_recover_and_the_caller_gets_an_answer(client, mock):
    answer = client.chat.completions.create(model="chat", messages=USER, extra_body=failing(status=429, times=1, retry_after="0"))
    assert answer.choices[0].message.content.startswith("alpha says")
    assert len(mock.calls()) >= 2 or not DIRECT
