"""Background responses on the gateway's own queue: created, polled, followed from an event, cancelled, deleted."""
import time

import openai
import pytest

pytestmark = pytest.mark.gateway


def until(client, response, *statuses, within=20):
    """Polls as OpenAI's guide does."""
    deadline = time.monotonic() + within
    while response.status not in statuses:
        assert time.monotonic() < deadline, response
        time.sleep(0.02)
        response = client.responses.retrieve(response.id)
    return response


def test_a_background_response_is_polled(client, mock):
    created = client.responses.create(model="chat", input="tide", background=True, metadata={"k": "v"})
    assert created.status in ("queued", "in_progress")
    assert created.background is True
    assert created.id.startswith("resp_tg")
    assert created.output == [] and created.output_text == ""
    done = until(client, created, "completed")
    assert done.output_text == "alpha says: tide"
    assert done.id == created.id
    assert done.usage.total_tokens == 7
    assert "background" not in mock.only_call().json
    assert mock.only_call().header("idempotency-key") == created.id
    items = client.responses.input_items.list(created.id)
    assert items.data[0].content[0].text == "tide"
    client.responses.delete(created.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(created.id)


def test_a_background_stream_is_followed_from_an_event(client, mock):
    stream = client.responses.create(model="chat", input="tide and gate", background=True, stream=True)
    seen = []
    for event in stream:
        seen.append(event)
        if len(seen) == 4:
            break
    stream.close()
    assert [e.type for e in seen[:2]] == ["response.created", "response.queued"]
    response_id = seen[0].response.id
    rest = list(client.responses.retrieve(response_id, stream=True, starting_after=seen[-1].sequence_number))
    events = seen + rest
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "alpha says: tide and gate"
    assert events[-1].type == "response.completed"
    assert events[-1].response.id == response_id
    assert events[-1].response.output_text == "alpha says: tide and gate"
    again = list(client.responses.retrieve(response_id, stream=True))
    assert [e.type for e in again] == [e.type for e in events]


def test_what_waits_for_its_provider_is_cancelled(client):
    created = client.responses.create(model="all-dead", input="tide", background=True)
    cancelled = client.responses.cancel(created.id)
    assert (cancelled.id, cancelled.status) == (created.id, "cancelled")
    assert client.responses.retrieve(created.id).status == "cancelled"


def test_a_refusal_is_told_as_a_failed_response(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="chat", input="tide", background=True, store=False)
    assert refused.value.param == "background"
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_tg0123456789")
