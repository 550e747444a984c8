#!/usr/bin/env python3
"""Prefix routing side by side: the same conversations through tidegate and sglang-router, onto the same simulated nodes.

The nodes are real HTTP servers in this process with slots, a prompt read at a time and an LRU cache of prompt blocks; they count what they had
cached. Not part of CI: it takes a minute and a half for each way. What a reader could get wrong: a hit is what the *node* had, not what the
router believed, and the time to the first token includes everything on the way.

    python3 -m venv venv && venv/bin/pip install sglang-router
    benches/pool/pool.py --tidegate target/debug/tidegate --sglang venv/bin/python
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

    def __init__(self, args):
        self.args = args
        self.slots = asyncio.Semaphore(args.slots)
        self.reading = asyncio.Lock()
        self.cache = collections.OrderedDict()
        self.hits = self.tokens = self.requests = 0

    def forget(self):
        self.cache.clear()
        self.hits = self.tokens = self.requests = 0

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

    def keep(self, hashes):
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
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
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
                matched = 0
                for block in hashes:
                    if block not in self.cache:
                        break
                    matched += 1
                hit = matched * BLOCK // BYTES
                self.requests, self.hits, self.tokens = self.requests + 1, self.hits + hit, self.tokens + tokens
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
            await asyncio.sleep(request["max_tokens"] / self.args.writes)
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
    return first


async def load(port, args):
    dice = random.Random(args.seed)
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
                print(f"failed: {str(error)[:200]}", file=sys.stderr)
            messages.append({"role": "assistant", "content": text})
            await asyncio.sleep(pause)

    await asyncio.gather(*(converse(*plan) for plan in plans))
    times = sorted(t for t in times if t is not None)
    return times, failed


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
                                ("conversations", int, 250), ("rate", float, 4.0), ("systems", int, 80), ("pause", float, 5.0), ("seed", int, 1)]:
        parser.add_argument(f"--{name}", type=kind, default=default)
    args = parser.parse_args()
    nodes = [Node(args) for _ in range(args.nodes)]
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
    print(f"{'':<28}{'requests':>9}{'failed':>7}{'prompt tokens':>15}{'hit tokens':>12}{'hit':>6}{'first token p50':>17}{'p99':>10}", flush=True)
    for name, (port, command) in ways:
        for node in nodes:
            node.forget()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            await until_open(port, process)
            await asyncio.sleep(5)  # until workers are registered and models known
            times, failed = await load(port, args)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        tokens, hits = sum(node.tokens for node in nodes), sum(node.hits for node in nodes)
        at = lambda part: 1000 * times[min(int(len(times) * part), len(times) - 1)] if times else 0
        print(f"{name:<28}{len(times):>9}{failed:>7}{tokens:>15}{hits:>12}{100 * hits / max(tokens, 1):>5.0f}%{at(0.5):>14.0f} ms{at(0.99):>7.0f} ms", flush=True)


asyncio.run(main())
