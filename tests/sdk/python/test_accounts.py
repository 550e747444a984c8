"""Keys, limits and budgets as the official client sees them: its own exception for each, and no retry where none would help.

What a reader could get wrong: the client retries a 429 by itself; a budget that is used up must not be asked twice.
"""
import os

import openai
import pytest

pytestmark = pytest.mark.gateway
# What is used up by one version of the SDK is not there for the next.
MAJOR = openai.__version__.split(".")[0]
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.fixture
def ask():
    def ask(key, retries=0, model="auto", **more):
        client = openai.OpenAI(base_url=os.environ["TIDEGATE_TENANTS_URL"] + "/v1", api_key=key, max_retries=retries)
        return client.chat.completions.with_raw_response.create(model=model, messages=MESSAGES, **more)

    return ask


def test_a_key_lets_in_and_its_tenant_sees_his_models_only(ask):
    assert ask("sk-tg-acme").status_code == 200
    client = openai.OpenAI(base_url=os.environ["TIDEGATE_TENANTS_URL"] + "/v1", api_key="sk-tg-acme")
    assert [model.id for model in client.models.list()] == ["auto"]
    with pytest.raises(openai.PermissionDeniedError) as refused:
        ask("sk-tg-acme", model="frontier")
    assert refused.value.code == "model_not_allowed"


def test_other_keys_are_an_authentication_error(ask):
    with pytest.raises(openai.AuthenticationError) as refused:
        ask("sk-proj-of-somebody-else")
    assert refused.value.code == "invalid_api_key"
    assert "somebody" not in str(refused.value)


def test_a_limit_is_a_rate_limit_error_with_headers(ask):
    first = ask(f"sk-tg-slow-{MAJOR}")
    assert first.headers["x-ratelimit-limit-requests"] == "1"
    assert first.headers["x-ratelimit-remaining-requests"] == "0"
    with pytest.raises(openai.RateLimitError) as refused:
        ask(f"sk-tg-slow-{MAJOR}")
    assert refused.value.code == "rate_limit_exceeded"
    assert 1 <= int(refused.value.response.headers["retry-after"]) <= 60


def test_a_used_up_budget_is_not_asked_twice(ask):
    # A stream, read to its end: its cent is spent.
    with openai.OpenAI(base_url=os.environ["TIDEGATE_TENANTS_URL"] + "/v1", api_key=f"sk-tg-poor-{MAJOR}").chat.completions.create(
        model="auto", messages=MESSAGES, stream=True
    ) as stream:
        assert any(chunk.choices for chunk in stream)
    # With two retries of the client's own this would take a second and more, were it retried.
    with pytest.raises(openai.RateLimitError) as refused:
        ask(f"sk-tg-poor-{MAJOR}", retries=2)
    assert refused.value.code == "insufficient_quota"
    assert refused.value.response.headers["x-should-retry"] == "false"
