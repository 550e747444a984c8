"""What a client sees when edge nodes die and return: nothing, as long as another target can serve."""
import threading
import time

import openai
import pytest

from conftest import get, until

pytestmark = pytest.mark.gateway
ASK = [{"role": "user", "content": "the river and the bridge"}]


class Load:
    """Clients that ask in a loop, each request to be answered; `errors` keeps what was not."""

    def __init__(self, gateway, model, clients=6):
        self.gateway, self.model, self.done, self.errors, self.answered = gateway, model, threading.Event(), [], []
        self.moved = threading.Condition()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(clients)]

    def run(self):
        with openai.OpenAI(base_url=self.gateway.url + "/v1", api_key="sk-x", max_retries=0, timeout=60) as client:
            while not self.done.is_set():
                try:
                    answer = client.chat.completions.with_raw_response.create(model=self.model, messages=ASK, max_tokens=12)
                    assert answer.parse().choices[0].message.role == "assistant"
                    result, kept = answer.headers["x-tidegate-upstream"], self.answered
                except Exception as error:  # noqa: BLE001 - whatever a client sees is what is counted
                    result, kept = repr(error), self.errors
                with self.moved:
                    kept.append(result)
                    self.moved.notify_all()

    def wait_for(self, count, seconds=60):
        """Until COUNT more requests are over."""
        with self.moved:
            aim = len(self.answered) + len(self.errors) + count
            return self.moved.wait_for(lambda: len(self.answered) + len(self.errors) >= aim, seconds)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        assert self.wait_for(20)
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(60)


def test_kill_9_of_one_node_under_load_is_not_noticed(nodes, gateway):
    with Load(gateway, "tiny") as load:
        nodes[0].kill()
        assert load.wait_for(100)
    assert load.errors == []
    assert set(load.answered) == {"lab"}


def test_a_node_returns_by_itself(nodes, gateway, client):
    nodes[1].kill()
    assert until(lambda: gateway.metric("tidegate_upstream_up", upstream="lab") == 1), "the dead node stays in the pool"
    nodes[1].start()
    assert until(lambda: gateway.metric("tidegate_upstream_up", upstream="lab") == 2), "the node does not return"
    before = nodes[1].prompt_tokens()
    with Load(gateway, "tiny") as load:
        load.wait_for(40)
    assert load.errors == []
    assert nodes[1].prompt_tokens() > before, "it returned but gets no work"


def test_with_the_whole_pool_dead_the_cloud_takes_over(nodes, gateway):
    with Load(gateway, "auto") as load:
        for node in nodes:
            node.kill()
        assert load.wait_for(100)
        assert load.answered[-1] == "cloud"
        for node in nodes:
            node.start()
        assert until(lambda: load.wait_for(5) and "lab" in load.answered[-5:], 20), "work does not return to the edge"
    assert load.errors == []


def test_with_the_whole_pool_dead_and_no_other_target_the_error_is_quick_and_plain(nodes, gateway, client):
    for node in nodes:
        node.kill()
    assert until(lambda: gateway.metric("tidegate_upstream_up", upstream="lab") == 0)
    started = time.monotonic()
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="tiny", messages=ASK)
    assert time.monotonic() - started < 5
    assert caught.value.status_code in (502, 503)
    assert "127.0.0.1" not in caught.value.response.text
    assert get(gateway.admin + "/livez")[0] == 200


def test_a_stream_whose_node_dies_ends_with_an_error(nodes, client):
    stream = client.chat.completions.create(model="tiny", messages=ASK, max_tokens=7000, stream=True, extra_body={"ignore_eos": True})
    next(iter(stream))
    (busy,) = [n for n in nodes if n.busy()]
    busy.kill()
    with pytest.raises(openai.APIError):
        for _ in stream:
            pass
