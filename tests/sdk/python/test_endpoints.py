"""Every other endpoint an SDK client calls: embeddings, responses, models, files, audio, moderations, images."""
import hashlib
import io
import os

import pytest

from conftest import DIRECT

BLOB = os.urandom(1 << 16) + bytes(range(256)) * 16 + b"\r\n--not-a-boundary\r\n"
# As in mock_provider.py.
SPEECH = bytes(range(256)) * 800


def test_embeddings_in_base64_and_floats(client, mock):
    # The SDK asks for base64 where the caller says nothing, and decodes it itself.
    packed = client.embeddings.create(model="chat", input=["tide", "gate"])
    assert mock.only_call().json["encoding_format"] == "base64"
    plain = client.embeddings.create(model="chat", input=["tide", "gate"], encoding_format="float")
    assert len(plain.data) == 2
    for a, b in zip(packed.data, plain.data):
        assert a.embedding == pytest.approx(b.embedding, abs=1e-6)
    assert packed.data[0].embedding != packed.data[1].embedding


def test_responses(client, mock):
    answer = client.responses.create(model="chat", input="tide", instructions="be brief", metadata={"k": "v"})
    assert answer.output_text == "alpha says: tide"
    assert answer.usage.total_tokens == 7
    assert mock.only_call().json["instructions"] == "be brief"


def test_responses_stream_keeps_events_and_their_order(client, mock):
    events = list(client.responses.create(model="chat", input="tide and gate", stream=True))
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "alpha says: tide and gate"
    assert events[-1].response.output_text == "alpha says: tide and gate"


def test_the_sdks_own_response_accumulator_accepts_it(client, mock):
    with client.responses.stream(model="chat", input="tide") as stream:
        assert stream.get_final_response().output_text == "alpha says: tide"


@pytest.mark.gateway
def test_models_are_the_routes_and_models_of_the_configuration(client, mock):
    listed = {m.id for m in client.models.list()}
    assert {"chat", "gpt-4o", "hybrid", "azure"} <= listed
    assert client.models.retrieve("chat").id == "chat"
    assert client.models.retrieve("gpt-4o").object == "model"
    assert mock.calls() == [], "the list is the gateway's own"


def test_models_can_be_listed(client, mock):
    assert "chat" in {m.id for m in client.models.list()}


def test_file_upload_arrives_byte_for_byte(client, mock, sent):
    file = client.files.create(file=("tide Ł.jsonl", io.BytesIO(BLOB)), purpose="user_data")
    assert file.bytes == len(BLOB)
    call = mock.only_call()
    assert call.sha256 == hashlib.sha256(sent.requests[0][1]).hexdigest(), "the multipart body was rewritten"
    part = next(p for p in call.parts if p["name"] == "file")
    assert part["sha256"] == hashlib.sha256(BLOB).hexdigest()
    assert client.files.retrieve(file.id).filename == file.filename
    assert client.files.content(file.id).read() == SPEECH
    assert file.id in {f.id for f in client.files.list()}


def test_large_upload(client, mock):
    blob = os.urandom(1 << 20) * 24
    assert client.files.create(file=("big.bin", blob), purpose="user_data").bytes == len(blob)


def test_transcription_upload(client, mock):
    answer = client.audio.transcriptions.create(model="whisper-1", file=("a.wav", BLOB))
    assert answer.text == hashlib.sha256(BLOB).hexdigest()


def test_speech_is_binary(client, mock):
    assert client.audio.speech.create(model="tts-1", voice="alloy", input="tide").read() == SPEECH
    with client.audio.speech.with_streaming_response.create(model="tts-1", voice="alloy", input="tide") as answer:
        assert b"".join(answer.iter_bytes()) == SPEECH


def test_moderations_and_images(client, mock):
    assert client.moderations.create(input="tide").results[0].flagged is False
    image = client.images.generate(model="gpt-image-1", prompt="a tide gate")
    assert len(image.data[0].b64_json) > len(SPEECH)


@pytest.mark.gateway
def test_passed_through_paths_carry_the_providers_key_not_the_clients(client, mock):
    client.moderations.create(input="tide")
    call = mock.only_call()
    assert call.header("authorization") == "Bearer sk-provider-alpha"
    assert "sk-the-clients-own-key" not in str(call.headers)


def test_unknown_path_is_a_not_found_error(client, mock):
    import openai
    with pytest.raises(openai.NotFoundError):
        client.get("/nothing/here", cast_to=object)
    assert DIRECT or len(mock.calls()) <= 1
