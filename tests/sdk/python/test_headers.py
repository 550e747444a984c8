"""Response headers of the contract, request headers upstream, and the azure dialect behind the same client call."""
import re

import pytest

from conftest import USER

pytestmark = pytest.mark.gateway


def test_answers_say_where_they_ran_and_why(client, mock):
    answer = client.chat.completions.with_raw_response.create(model="gpt-4o", messages=USER)
    headers = answer.headers
    assert headers["x-request-id"]
    assert headers["x-tidegate-placement"] == "cloud"
    assert headers["x-tidegate-upstream"] == "alpha"
    assert headers["x-tidegate-model"] == "alpha-model"
    assert headers["x-tidegate-route"] == "chat"
    assert headers["x-tidegate-rule"] == "all"
    assert headers["x-tidegate-attempts"] == "alpha-model:ok"
    assert int(headers["x-tidegate-overhead-us"]) < 1_000_000
    assert set(re.findall(r"(\w+);dur=[\d.]+", headers["server-timing"])) >= {"decide", "upstream"}
    assert answer.parse()._request_id == headers["x-request-id"]


def test_streams_carry_the_same_headers(client, mock):
    with client.chat.completions.with_streaming_response.create(model="chat", messages=USER, stream=True) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-tidegate-model"] == "alpha-model"
        assert answer.headers["x-request-id"]
        answer.read()


def test_every_answer_has_its_own_request_id(client, mock):
    ids = {client.chat.completions.with_raw_response.create(model="chat", messages=USER).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_the_clients_key_never_goes_upstream_and_hints_do_not_either(client, mock):
    client.chat.completions.create(model="chat", messages=USER, extra_headers={"x-tidegate-placement": "prefer-cloud"},
                                   extra_body={"tidegate": {"app": "tests"}})
    call = mock.only_call()
    assert call.header("authorization") == "Bearer sk-provider-alpha"
    assert "sk-the-clients-own-key" not in str(call.headers)
    assert not [name for name, _ in call.headers if name.startswith("x-tidegate-")]
    assert "tidegate" not in call.json


def test_azure_behind_the_plain_client(client, mock):
    answer = client.chat.completions.create(model="azure", messages=USER)
    assert answer.choices[0].message.content.startswith("azure says")
    call = mock.only_call()
    assert call.provider == "azure"
    assert call.path == "/openai/deployments/gpt-4o-deployment/chat/completions"
    assert "api-version=2024-10-21" in call.query
    assert call.header("api-key") == "azure-provider-key"
    assert call.header("authorization") is None


def test_azure_streams_and_embeds(client, mock):
    chunks = list(client.chat.completions.create(model="azure", messages=USER, stream=True))
    assert chunks[-1].choices[0].finish_reason == "stop"
    client.embeddings.create(model="azure", input="tide")
    assert mock.calls()[-1].path == "/openai/deployments/gpt-4o-deployment/embeddings"


HARD = "Prove that there are infinitely many primes congruent to 3 modulo 4, without quoting Dirichlet."


def routed(client, *texts):
    """Where a conversation of these turns goes, and how hard it is."""
    messages = []
    for text in texts:
        messages += [{"role": "user", "content": text}, {"role": "assistant", "content": "Go on."}]
    answer = client.chat.completions.with_raw_response.create(model="by-difficulty", messages=messages[:-1])
    return answer.headers["x-tidegate-rule"], float(answer.headers["x-tidegate-difficulty"])


def test_easy_prompts_and_hard_ones_go_different_ways(client):
    (easy, low), (hard, high) = routed(client, "set a timer for ten minutes"), routed(client, HARD)
    assert (easy, hard) == ("easy", "hard")
    assert 0 <= low < high <= 1


def test_a_conversation_stays_with_the_model_that_it_began_with(client):
    opening = "please turn on the light in the hall"
    assert routed(client, opening)[0] == "easy"
    assert routed(client, opening, HARD)[0] == "easy"
    assert routed(client, HARD)[0] == "hard"
