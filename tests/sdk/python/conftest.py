"""What the SDK tests share: the official client against the gateway, and a look at what reached the simulated providers.

What a reader could get wrong: with TIDEGATE_DIRECT=1 the client talks to a mock itself, to prove mock and SDK agree; tests of what
the gateway adds are skipped then (marker `gateway`).
"""
import base64
import json
import os
import urllib.request

import openai
import pytest

DIRECT = os.environ.get("TIDEGATE_DIRECT") == "1"
CLIENT_KEY = "sk-the-clients-own-key"


def pytest_configure(config):
    config.addinivalue_line("markers", "gateway: about what the gateway adds; skipped against the bare mock")


def pytest_collection_modifyitems(items):
    for item in items:
        if DIRECT and item.get_closest_marker("gateway"):
            item.add_marker(pytest.mark.skip(reason="needs the gateway, TIDEGATE_DIRECT=1"))


class Call:
    """One request as it reached a provider."""

    def __init__(self, record):
        self.__dict__.update(record)
        self.headers = [(k, v) for k, v in record["headers"]]

    def header(self, name):
        return next((v for k, v in self.headers if k == name), None)

    @property
    def raw(self):
        return base64.b64decode(self.body)

    @property
    def json(self):
        return json.loads(self.raw)


class Mock:
    """The control listener of mock_provider.py."""

    def __init__(self, url):
        self.url = url

    def ask(self, path, method="GET"):
        with urllib.request.urlopen(urllib.request.Request(self.url + path, method=method), timeout=30) as answer:
            return json.load(answer)

    def reset(self):
        self.ask("/reset", "POST")

    def calls(self, provider=None):
        return [Call(c) for c in self.ask("/calls") if provider in (None, c["provider"])]

    def only_call(self):
        (call,) = self.calls()
        return call

    def wait_cancelled(self, count=1, timeout=5):
        return self.ask(f"/wait?cancelled={count}&timeout={timeout}")


class Sent:
    """Counts and keeps what the SDK put on the wire, retries included."""

    def __init__(self):
        self.requests = []

    def __call__(self, request):
        self.requests.append((request, request.read()))

    @property
    def count(self):
        return len(self.requests)


@pytest.fixture
def mock():
    mock = Mock(os.environ["MOCK_CONTROL_URL"])
    mock.reset()
    return mock


@pytest.fixture
def sent():
    return Sent()


@pytest.fixture
def client(mock, sent):
    """The official SDK, unchanged but for its base URL; retries at their default."""
    http = openai.DefaultHttpxClient(event_hooks={"request": [sent]})
    with openai.OpenAI(base_url=os.environ["TIDEGATE_URL"] + "/v1", api_key=CLIENT_KEY, http_client=http) as client:
        yield client


USER = [{"role": "user", "content": "Where does the river go? Ł 東京 🚢"}]
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {
    "city": {"type": "string"}, "n": {"type": "integer"}}}}}
TIME = {"type": "function", "function": {"name": "time", "parameters": {"type": "object", "properties": {
    "city": {"type": "string"}, "n": {"type": "integer"}}}}}
