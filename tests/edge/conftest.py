"""Two real llama-server nodes with a tiny model, the gateway before them, a simulated cloud provider behind.

What a reader could get wrong: the nodes are real processes that tests kill and start again on the same port; a test that does so
leaves both running at its end (fixture `nodes` sees to it). TIDEGATE_DIRECT=1 points the client at a node itself, to prove the
tests; those about the gateway are skipped then.
"""
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import openai
import pytest

HERE = pathlib.Path(__file__).parent
DIRECT = os.environ.get("TIDEGATE_DIRECT") == "1"


def pytest_configure(config):
    config.addinivalue_line("markers", "gateway: about what the gateway adds; skipped against a bare node")


def pytest_collection_modifyitems(items):
    for item in items:
        if DIRECT and item.get_closest_marker("gateway"):
            item.add_marker(pytest.mark.skip(reason="needs the gateway, TIDEGATE_DIRECT=1"))


def until(condition, seconds=15, every=0.02):
    """Asks until it holds; the last answer otherwise."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(every)
    return answer


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def get(url, timeout=5):
    """Status and text; status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Node:
    """One llama-server."""

    def __init__(self, name, folder):
        self.name, self.port, self.process = name, free_port(), None
        self.log = open(folder / f"{name}.log", "ab")
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process = subprocess.Popen(
            [os.environ["LLAMA_SERVER"], "-m", os.environ["TINY_MODEL"], "--alias", "tiny", "--host", "127.0.0.1", "--port", str(self.port),
             "-np", "2", "-c", "8192", "-t", "1", "--metrics", "--slots"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        assert until(self.ready, 30), f"{self.name} did not become ready"

    def ready(self):
        return get(self.url + "/health")[0] == 200

    def kill(self):
        """kill -9: no goodbye to anybody."""
        self.process.kill()
        self.process.wait()

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def busy(self):
        return [s for s in json.loads(get(self.url + "/slots")[1] or "[]") if s["is_processing"]]

    def prompt_tokens(self):
        """How many prompt tokens it has read in its life: which of the nodes works."""
        text = get(self.url + "/metrics")[1]
        return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith("llamacpp:prompt_tokens_total "))


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")
    nodes = [Node("node-0", folder), Node("node-1", folder)]
    try:
        for node in nodes:
            node.start()
        yield nodes
    finally:
        for node in nodes:
            if node.running:
                node.kill()


@pytest.fixture(scope="session")
def cloud():
    """The simulated cloud provider's URL."""
    mock = HERE.parent / "sdk" / "mock_provider.py"
    process = subprocess.Popen([sys.executable, str(mock), "cloud"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        yield json.loads(process.stdout.readline())["cloud"]
    finally:
        process.kill()
        process.wait()


class Gateway:
    def __init__(self, url, admin):
        self.url, self.admin = url, admin

    def metric(self, name, **labels):
        """The sum of a metric's series that carry these labels."""
        wanted = [f'{k}="{v}"' for k, v in labels.items()]
        lines = get(self.admin + "/metrics")[1].splitlines()
        found = [line for line in lines if line.split("{")[0].split(" ")[0] == name and all(w in line for w in wanted)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in found)


@pytest.fixture(scope="session")
def gateway(pool, cloud, tmp_path_factory):
    if DIRECT:
        yield Gateway(pool[0].url, None)
        return
    folder = tmp_path_factory.mktemp("gateway")
    env = {**os.environ, "NODE_0_URL": pool[0].url, "NODE_1_URL": pool[1].url, "CLOUD_URL": cloud, "TIDEGATE_TEST_DATA": str(folder / "data")}
    log = folder / "gateway.log"
    with open(log, "wb") as out:
        process = subprocess.Popen([os.environ["TIDEGATE_BIN"], "serve", "-c", str(HERE / "gateway.yaml"), "--log-format", "json"],
                                   stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
    try:
        assert until(lambda: '"message":"ready"' in log.read_text() or process.poll() is not None, 30) and process.poll() is None, log.read_text()
        lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
        address = {line["listener"]: line["addr"] for line in lines if line.get("message") == "listening"}
        yield Gateway(f"http://{address['public']}", f"http://{address['admin']}")
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture
def nodes(pool, gateway):
    """Both nodes, to be killed at will; running and back in the gateway's pool afterwards."""
    yield pool
    for node in pool:
        if not node.running:
            node.start()
    if not DIRECT:
        assert until(lambda: gateway.metric("tidegate_upstream_up", upstream="lab") == 2), "a node did not return to the pool"


@pytest.fixture
def client(gateway):
    with openai.OpenAI(base_url=gateway.url + "/v1", api_key="sk-the-clients-own-key", max_retries=0) as client:
        yield client
