"""Progressive answers: the edge's draft and the cloud's answer in one stream, as the SDK and its helpers take it.

What a reader could get wrong: the cloud is slow here, so the draft is always there first; what a client shows that knows nothing of
drafts must be the cloud's answer alone, however it reads the stream.
"""
import pytest

from conftest import USER

pytestmark = pytest.mark.gateway
ASKED = {"x-tidegate-mode": "progressive"}
SLOW = {"mock": {"only": ["alpha"], "delay_ms": 300}}
FAILS = {"mock": {"only": ["alpha"], "delay_ms": 300, "status": 500}}
TEXT = USER[0]["content"]


def chat(client, extra, **more):
    return client.chat.completions.create(model="hybrid", messages=USER, stream=True, extra_headers=ASKED, extra_body=extra, **more)


def test_whoever_reads_the_first_choice_sees_the_answer_alone(client, mock):
    chunks = list(chat(client, SLOW))
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices).strip() == "alpha says: " + TEXT
    drafts = [c.choices[1] for c in chunks if len(c.choices) > 1]
    assert "".join(d.delta.content or "" for d in drafts).strip() == "edge says: " + TEXT
    assert {d.index for d in drafts} == {1} and all(d.model_extra["tidegate"]["draft"] for d in drafts)
    assert len({c.id for c in chunks}) == len({c.model for c in chunks}) == 1
    assert len(chunks[0].choices) == 2, "the draft was first"
    assert sorted(call.provider for call in mock.calls()) == ["alpha", "edge"]


def test_the_chat_helper_puts_both_together(client, mock):
    with client.chat.completions.stream(model="hybrid", messages=USER, extra_headers=ASKED, extra_body=SLOW,
                                        stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    answer, draft = final.choices
    assert (answer.index, answer.message.content.strip(), answer.message.role) == (0, "alpha says: " + TEXT, "assistant")
    assert (draft.index, draft.message.content.strip(), draft.message.role) == (1, "edge says: " + TEXT, "assistant")
    assert (answer.finish_reason, draft.model_extra["tidegate"]) == ("stop", {"draft": True})
    one = client.chat.completions.create(model="hybrid", messages=USER)
    assert final.usage.total_tokens == 2 * one.usage.total_tokens


def test_a_draft_that_becomes_the_answer_is_the_helpers_answer(client, mock):
    with client.chat.completions.stream(model="hybrid", messages=USER, extra_headers=ASKED, extra_body=FAILS) as stream:
        told = [event.chunk.choices[0].model_extra for event in stream if event.type == "chunk" and event.chunk.choices]
        final = stream.get_final_completion()
    assert final.choices[0].message.content.strip() == "edge says: " + TEXT
    assert final.choices[0].message.role == "assistant"
    assert {"tidegate": {"final": "draft", "reason": "cloud-failed"}} in told


def responses(client, extra):
    return client.responses.stream(model="hybrid", input=TEXT, extra_headers=ASKED, extra_body=extra)


@pytest.mark.parametrize("extra, said", [(SLOW, "alpha says: "), (FAILS, "edge says: ")])
def test_the_responses_helper_gives_the_answer_alone_as_text(client, mock, extra, said):
    with responses(client, extra) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert final.output_text == said + TEXT
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == said + TEXT
    assert "".join(e.delta for e in events if e.type == "response.reasoning_text.delta") == "edge says: " + TEXT
    assert [e.sequence_number for e in events] == list(range(len(events)))
    draft, answer = final.output
    assert (draft.type, draft.content[0].text, draft.model_extra["tidegate"]) == ("reasoning", "edge says: " + TEXT, {"draft": True})
    assert answer.type == "message"
    marker = {"final": "draft", "reason": "cloud-failed"} if extra is FAILS else None
    assert (answer.model_extra or {}).get("tidegate") == marker
    assert final.usage.total_tokens == final.usage.input_tokens + final.usage.output_tokens > 0


def test_a_response_goes_on_under_the_answers_own_id(client, mock):
    with responses(client, SLOW) as stream:
        final = stream.get_final_response()
    assert final.id == "resp_mock"
    with client.responses.stream(model="hybrid", input=TEXT, previous_response_id=final.id, extra_headers=ASKED) as stream:
        stream.get_final_response()
    assert mock.calls()[-1].json["previous_response_id"] == "resp_mock"


def test_a_draft_that_comes_back_as_input_is_taken_out(client, mock):
    with responses(client, SLOW) as stream:
        output = [item.to_dict() for item in stream.get_final_response().output]
    assert output[0]["id"].startswith("rs_draft_")
    client.responses.create(model="chat", input=[{"role": "user", "content": TEXT}, *output, {"role": "user", "content": "and then?"}])
    sent = mock.calls()[-1].json["input"]
    assert [item.get("type") for item in sent] == [None, "message", None]
    assert sent[1] == output[1]
