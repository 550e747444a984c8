"""Files and batches on the gateway's own queue, as the official client uses them.

What a reader could get wrong: the queue outlives a test, and both versions of the SDK use it, so nothing here counts what there is.
"""
import io
import json
import os
import time

import openai
import pytest

from conftest import CLIENT_KEY

pytestmark = pytest.mark.gateway


@pytest.fixture
def client(mock):
    with openai.OpenAI(base_url=os.environ["TIDEGATE_DEFERRED_URL"] + "/v1", api_key=CLIENT_KEY) as client:
        yield client


def lines(count, endpoint="/v1/chat/completions", **body):
    asked = [{"role": "user", "content": "Where does the river go? Ł 東京"}]
    return "".join(json.dumps({"custom_id": f"line-{n}", "method": "POST", "url": endpoint,
                               "body": {"model": "chat", "messages": asked, **body}}) + "\n" for n in range(count)).encode()


def upload(client, content, **more):
    return client.files.create(file=("lines.jsonl", io.BytesIO(content)), purpose="batch", **more)


def made(client, content):
    file = upload(client, content)
    return client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                                 metadata={"case": "7"})


def ended(client, batch):
    deadline = time.monotonic() + 60
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < deadline, batch
        time.sleep(0.05)
        batch = client.batches.retrieve(batch.id)
    return batch


def test_a_batch_goes_there_and_back(client, mock):
    content = lines(12)
    file = upload(client, content, expires_after={"anchor": "created_at", "seconds": 3600})
    assert (file.purpose, file.bytes, file.filename, file.expires_at) == (
        "batch", len(content), "lines.jsonl", file.created_at + 3600)
    assert client.files.content(file.id).read() == content
    batch = client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h",
                                  metadata={"case": "7"})
    assert (batch.status, batch.metadata, batch.endpoint) == ("validating", {"case": "7"}, "/v1/chat/completions")
    batch = ended(client, batch)
    assert (batch.status, batch.request_counts.total, batch.request_counts.completed) == ("completed", 12, 12), batch
    assert batch.created_at <= batch.in_progress_at <= batch.finalizing_at <= batch.completed_at
    output = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert sorted(line["custom_id"] for line in output) == sorted(f"line-{n}" for n in range(12))
    for line in output:
        assert line["error"] is None and line["response"]["status_code"] == 200
        completion = openai.types.chat.ChatCompletion.model_validate(line["response"]["body"])
        assert completion.choices[0].message.content
    assert client.files.retrieve(batch.output_file_id).purpose == "batch_output"
    assert len([call for call in mock.calls("alpha") if call.path == "/v1/chat/completions"]) == 12
    assert client.files.delete(file.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_wrong_lines_are_named(client):
    batch = ended(client, made(client, lines(2) + b"{\n"))
    assert batch.status == "failed" and batch.output_file_id is None
    assert [(error.line, error.code) for error in batch.errors.data] == [(3, "invalid_json_line")]


def test_what_the_provider_refuses_is_in_the_error_file(client):
    batch = ended(client, made(client, lines(2, mock={"status": 400, "message": "no such thing"})))
    assert (batch.status, batch.request_counts.failed, batch.output_file_id) == ("completed", 2, None), batch
    errors = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
    assert [error["response"]["status_code"] for error in errors] == [400, 400]


def test_a_batch_is_cancelled(client):
    batch = made(client, lines(300, mock={"delay_ms": 200}))
    assert client.batches.cancel(batch.id).status in ("cancelling", "cancelled")
    batch = ended(client, batch)
    assert batch.status == "cancelled" and batch.cancelled_at


def test_lists_are_walked_to_their_end(client):
    files = {upload(client, lines(1)).id for _ in range(3)}
    assert files <= {file.id for file in client.files.list(purpose="batch", limit=2)}
    # Behind ours come the provider's.
    assert files <= {file.id for file in client.files.list(limit=2)}
    batches = {client.batches.create(input_file_id=file, endpoint="/v1/chat/completions", completion_window="24h").id
               for file in files}
    page = client.batches.list(limit=2)
    assert len(page.data) == 2 and page.has_more
    second = page.get_next_page()
    assert batches & {batch.id for batch in [*page.data, *second.data]}


def test_what_is_no_batchs_is_the_providers(client, mock):
    file = client.files.create(file=("x.pdf", io.BytesIO(bytes(range(256)) * 4000)), purpose="assistants")
    assert not file.id.startswith("file-tg")
    assert mock.calls("alpha")[-1].path == "/v1/files"
