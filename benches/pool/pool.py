#!/usr/bin/env python3
"""Prefix routing side by side: the same conversations through tidegate and sglang-router, onto the same simulated nodes.

The nodes are real HTTP servers in this process with slots, a prompt read at a time and an LRU cache of prompt blocks; they count what they had
cached. Not part of CI: it takes a minute and a half for each way and seed. What a reader could get wrong: a hit is what the *node* had, not what
the router believed, and the time to the first token includes everything on the way.

    python3 -m venv venv && venv/bin/pip install sglang-router
    benches/pool/pool.py --tidegate target/debug/tidegate --sglang venv/bin/python --seeds 4,5,6

Columns: `elsewhere` are prompt tokens that another node had when this one was asked, `gone` those that some node once had and all have forgotten;
hits and these two together are what one node with an endless cache would have found. `late` is how late this process' own event loop was (p99):
where that is not small against the times to the first token, the machine is too slow for this load and the times mean nothing.

What makes it fair: one way after the other, nodes emptied between them, both routers with their defaults and nothing told of the nodes (no metrics:
neither how many requests they work on at once nor how much they keep). Whoever asks next waits for the answer before, so a slow way is asked less
at a time. sglang-router renames `max_tokens` to `max_completion_tokens`; the nodes take either. A request without a first token or without an
end is a failed one. Neither router sees what nodes forget; nodes keep prompts and not answers.
"""

import argparse
import asyncio
import collections
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

BLOCK = 256  # bytes, some 64 tokens
BYTES = 4  # of a token


class Node:
    """A model server with a prefix cache."""

    def __init__(self, args, all):
        self.args = args
        self.slots = asyncio.Semaphore(args.slots)
        self.reading = asyncio.Lock()
        self.cache = collections.OrderedDict()
        self.all = all
        self.forget()

    def forget(self):
        self.cache.clear()
        self.ever = set()  # all that it has had
        self.hits = self.tokens = self.requests = 0
        self.elsewhere = self.gone = 0  # tokens that another node had instead; that some node has had and forgotten

    async def start(self):
        self.server = await asyncio.start_server(self.connection, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    @staticmethod
    def chain(text):
        state, hashes = 0, []
        for at in range(0, len(text) - BLOCK + 1, BLOCK):
            state = hash((state, text[at : at + BLOCK]))
            hashes.append(state)
        return hashes

    def matched(self, hashes):
        for count, block in enumerate(hashes):
            if block not in self.cache:
                return count
        return len(hashes)

    def account(self, hashes, tokens):
        """Counts what this prompt finds here, and where the rest could have been found; the tokens found here."""
        here = self.matched(hashes)
        anywhere = max(node.matched(hashes) for node in self.all)
        once = next((count for count, block in enumerate(hashes) if not any(block in node.ever for node in self.all)), len(hashes))
        size = BLOCK // BYTES
        self.requests, self.hits, self.tokens = self.requests + 1, self.hits + here * size, self.tokens + tokens
        self.elsewhere, self.gone = self.elsewhere + (anywhere - here) * size, self.gone + (once - anywhere) * size
        return here * size

    def keep(self, hashes):
        self.ever.update(hashes)
        for block in reversed(hashes):
            self.cache[block] = None
            self.cache.move_to_end(block)
        while len(self.cache) * BLOCK // BYTES > self.args.cache:
            self.cache.popitem(last=False)

    async def connection(self, reader, writer):
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin1")
                method, path, _ = head.split(" ", 2)
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                if "chunked" in headers.get("transfer-encoding", ""):
                    body = b""
                    while size := int((await reader.readline()).strip(), 16):
                        body += await reader.readexactly(size)
                        await reader.readline()
                    await reader.readline()
                else:
                    body = await reader.readexactly(int(headers.get("content-length", 0)))
                if method == "POST" and path.startswith("/v1/chat"):
                    await self.chat(json.loads(body), writer)
                else:
                    await self.tell(path.split("?")[0], writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError, ValueError):  # gRPC probes are not HTTP/1
            pass
        finally:
            writer.close()

    async def tell(self, path, writer):
        known = {
            "/health": {}, "/health_generate": {}, "/v1/models": {"object": "list", "data": [{"id": "m", "object": "model"}]},
            "/get_model_info": {"model_path": "m", "is_generation": True}, "/model_info": {"model_path": "m", "is_generation": True},
            "/get_server_info": {"model_path": "m", "served_model_name": "m"}, "/server_info": {"model_path": "m", "served_model_name": "m"},
        }
        text = json.dumps(known.get(path, {})).encode()
        status = "200 OK" if path in known else "404 Not Found"
        writer.write(f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n".encode() + text)
        await writer.drain()

    async def chat(self, request, writer):
        text = "".join(message["role"] + "\n" + message["content"] + "\n" for message in request["messages"])
        hashes = self.chain(text)
        tokens = len(text) // BYTES
        async with self.slots:
            async with self.reading:
                hit = self.account(hashes, tokens)
                await asyncio.sleep((tokens - hit) / self.args.reads)
                self.keep(hashes)

            def chunk(delta, finish=None):
                event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
                         "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
                data = f"data: {json.dumps(event)}\n\n".encode()
                return f"{len(data):x}\r\n".encode() + data + b"\r\n"

            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
            writer.write(chunk({"role": "assistant", "content": "a"}))
            await writer.drain()
            answer = request.get("max_tokens") or request["max_completion_tokens"]  # sglang-router renames it
            await asyncio.sleep(answer / self.args.writes)
            writer.write(chunk({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
            await writer.drain()


async def ask(port, messages, answer):
    """One request; the time to its first token."""
    body = json.dumps({"model": "m", "messages": messages, "stream": True, "max_tokens": answer}).encode()
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise RuntimeError(head.decode() + (await reader.read()).decode())
    first, seen = None, b""
    while piece := await reader.read(65536):
        seen += piece
        if first is None and b'"content"' in seen:
            first = time.monotonic() - began
        if b"[DONE]" in seen:
            break
    writer.close()
    if first is None or b"[DONE]" not in seen:
        raise RuntimeError(f"{head.decode()!r} and {len(seen)} bytes: {seen[-200:]!r}")
    return first


async def load(port, args, seed):
    dice = random.Random(seed)
    words = lambda tokens: "".join(dice.choices("abcdefghij klmnop qrstuvwxyz", k=tokens * BYTES))
    systems = [words(dice.randint(500, 4000)) for _ in range(args.systems)]
    plans, at = [], 0.0
    for _ in range(args.conversations):
        at += dice.expovariate(args.rate)
        system = systems[int(dice.random() * dice.random() * len(systems))]
        turns = [(words(dice.randint(30, 400)), dice.randint(50, 350), dice.expovariate(1 / args.pause)) for _ in range(dice.randint(3, 9))]
        plans.append((at, system, [(q, a, words(a), p) for q, a, p in turns]))
    times, failed = [], 0

    async def converse(at, system, turns):
        nonlocal failed
        await asyncio.sleep(at)
        messages = [{"role": "system", "content": system}]
        for question, answer, text, pause in turns:
            messages.append({"role": "user", "content": question})
            try:
                times.append(await ask(port, messages, answer))
            except (RuntimeError, OSError, asyncio.IncompleteReadError) as error:
                failed += 1
                print(f"failed: {type(error).__name__} {str(error)[:600]}", file=sys.stderr)
            messages.append({"role": "assistant", "content": text})
            await asyncio.sleep(pause)

    late = asyncio.create_task(lateness())
    await asyncio.gather(*(converse(*plan) for plan in plans))
    late.cancel()
    return sorted(times), failed, await late


async def lateness():
    """How late this process' own loop was, in seconds, at p99: what the nodes and clients add to every time that is measured."""
    late = []
    try:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.02)
            late.append(time.monotonic() - began - 0.02)
    except asyncio.CancelledError:
        return sorted(late)[int(len(late) * 0.99)] if late else 0.0


async def until_open(port, process):
    for _ in range(600):
        if process.poll() is not None:
            raise RuntimeError(f"it ended with {process.returncode}")
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.1)
    raise RuntimeError("it does not listen")


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tidegate(args, nodes, balance, directory):
    port, path = free_port(), os.path.join(directory, f"{balance}.yaml")
    urls = ", ".join(f"http://127.0.0.1:{node.port}" for node in nodes)
    with open(path, "w") as file:
        file.write(
            f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:{free_port()}\ndata_dir: {directory}/{balance}\n"
            f"upstreams:\n  lab: {{placement: edge, kind: vllm, balance: {balance}, nodes: [{urls}]}}\n"
            "models:\n  m: {upstream: lab}\nroutes:\n  auto: {rules: [{name: all, try: [m]}]}\n"
        )
    return port, [args.tidegate, "serve", "-c", path, "--log-level", "warn"]


def sglang(args, nodes, policy):
    port = free_port()
    urls = [f"http://127.0.0.1:{node.port}" for node in nodes]
    return port, [args.sglang, "-m", "sglang_router.launch_router", "--worker-urls", *urls, "--policy", policy,
                  "--host", "127.0.0.1", "--port", str(port), "--prometheus-port", str(free_port()), "--log-level", "warn"]


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tidegate", help="its binary")
    parser.add_argument("--sglang", help="a Python that has sglang-router")
    parser.add_argument("--only", help="ways to run, by name, separated by commas")
    for name, kind, default in [("nodes", int, 8), ("slots", int, 16), ("cache", int, 65536), ("reads", float, 6000), ("writes", float, 60),
                                ("conversations", int, 250), ("rate", float, 4.0), ("systems", int, 80), ("pause", float, 5.0)]:
        parser.add_argument(f"--{name}", type=kind, default=default)
    parser.add_argument("--seeds", default="1", help="of the traffic, separated by commas: each way is run with each")
    args = parser.parse_args()
    nodes = []
    nodes += [Node(args, nodes) for _ in range(args.nodes)]
    for node in nodes:
        await node.start()
    directory = tempfile.mkdtemp()
    ways = []
    if args.tidegate:
        ways += [(f"tidegate {balance}", tidegate(args, nodes, balance, directory)) for balance in ("round-robin", "least-load", "prefix")]
    if args.sglang:
        ways += [(f"sglang-router {policy}", sglang(args, nodes, policy)) for policy in ("cache_aware",)]
    if args.only:
        ways = [way for way in ways if way[0] in args.only.split(",")]
    print(f"{'':<28}{'seed':>5}{'requests':>9}{'failed':>7}{'prompt tokens':>15}{'hit tokens':>12}{'hit':>6}{'elsewhere':>11}{'gone':>9}{'first token p50':>17}{'p99':>10}{'late':>9}", flush=True)
    for seed, (name, (port, command)) in [(int(seed), way) for seed in args.seeds.split(",") for way in ways]:
        for node in nodes:
            node.forget()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            await until_open(port, process)
            await asyncio.sleep(5)  # until workers are registered and models known
            times, failed, late = await load(port, args, seed)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        tokens, hits = sum(node.tokens for node in nodes), sum(node.hits for node in nodes)
        elsewhere, gone = sum(node.elsewhere for node in nodes), sum(node.gone for node in nodes)
        at = lambda part: 1000 * times[min(int(len(times) * part), len(times) - 1)] if times else 0
        print(f"{name:<28}{seed:>5}{len(times):>9}{failed:>7}{tokens:>15}{hits:>12}{100 * hits / max(tokens, 1):>5.1f}%{elsewhere:>11}{gone:>9}{at(0.5):>14.0f} ms{at(0.99):>7.0f} ms{1000 * late:>6.0f} ms", flush=True)


asyncio.run(main())
