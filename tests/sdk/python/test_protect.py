"""Redaction as the official client sees it: nothing. The provider echoes what it was sent, which is labels; the client reads the values.

What a reader could get wrong: the tenant is `no-retention`, so this goes without a `pii` section; values are made up.
"""
import json
import os

import openai
import pytest

pytestmark = pytest.mark.gateway

SAID = 'Dear Maria Lindqvist, "your" card 4111 1111 1111 1111 is on its way to maria.lindqvist@example.org. Maria Lindqvist, bye!'
VALUES = ["Maria Lindqvist", "4111", "maria.lindqvist@"]
NOTE = {"type": "function", "function": {"name": "note", "parameters": {"type": "object", "properties": {"note": {"type": "string"}}}}}


@pytest.fixture
def private(mock):
    with openai.OpenAI(base_url=os.environ["TIDEGATE_TENANTS_URL"] + "/v1", api_key="sk-tg-private", max_retries=0) as client:
        yield client


def assert_hidden(mock):
    for call in mock.calls():
        assert not any(value in call.raw.decode() for value in VALUES)


def ask(said):
    return {"model": "auto", "messages": [{"role": "user", "content": said}]}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 1000])
def test_a_stream_says_what_was_said(private, mock, size):
    stream = private.chat.completions.create(**ask(SAID), stream=True, extra_body={"mock": {"echo": size}})
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == SAID
    assert_hidden(mock)
    assert "<PERSON_" in mock.only_call().json["messages"][0]["content"]


def test_a_plain_answer_says_what_was_said(private, mock):
    answer = private.chat.completions.with_raw_response.create(**ask(SAID))
    assert answer.headers["x-tidegate-pii"] == "CREDIT_CARD=1,EMAIL_ADDRESS=1,PERSON=1"
    assert answer.parse().choices[0].message.content == f"alpha says: {SAID}"
    assert_hidden(mock)


def test_arguments_of_tools_parse(private, mock):
    with private.chat.completions.stream(**ask(SAID), tools=[NOTE], extra_body={"mock": {"echo": 1}}) as stream:
        (call,) = stream.get_final_completion().choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == {"note": SAID}
    assert_hidden(mock)


def test_responses_stream_and_final_answer_agree(private, mock):
    text = ""
    for event in private.responses.create(model="auto", input=SAID, stream=True):
        if event.type == "response.output_text.delta":
            text += event.delta
        last = event
    assert text == last.response.output_text == f"alpha says: {SAID}"
    assert_hidden(mock)


def test_embeddings_see_labels(private, mock):
    private.embeddings.create(model="auto", input=[SAID, "nothing"])
    assert_hidden(mock)
    assert mock.only_call().json["input"][1] == "nothing"


def test_a_secret_is_a_bad_request_that_names_its_type(private, mock):
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    with pytest.raises(openai.BadRequestError) as refused:
        private.chat.completions.create(**ask(f"why does {token} not work?"))
    assert "API_KEY" in refused.value.message and token not in str(refused.value)
    assert mock.calls() == []
