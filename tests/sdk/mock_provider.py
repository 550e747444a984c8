#!/usr/bin/env python3
"""A SIMULATED provider for the SDK tests: the OpenAI protocol in the standard library, no model behind it.

What a reader could get wrong: how it (mis)behaves is chosen by the request itself, by a field `mock` in the JSON body that no
real provider knows, so a test also proves that unknown fields survive the gateway. `mock` may hold:

    status: 429, times: 1       answer that error to the first N such requests (no `times`: to all)
    only: [alpha]               ... only at these providers (also for `break` and `delay_ms`)
    retry_after: "0"            ... with this retry-after header
    message: "..."              ... with this message
    delay_ms: 200               wait before answering
    say: "..."                  what a chat says (without: what was asked)
    chunks: 50, chunk_ms: 20    length and pace of a stream
    break: {after: 3, how: reset | close | error-event | stall}     what happens to a stream after N chunks

One listener per provider name on a free port, and one more named `control`, which tells the tests what arrived:

    GET  /calls                             every request: provider, path, headers, body hash, multipart parts, cancelled or not
    GET  /wait?cancelled=N&timeout=S        returns when N requests were given up by their client
    POST /reset                             forgets all of it

Usage: mock_provider.py NAME...     prints {"NAME": "http://127.0.0.1:PORT", ...} as its first line, then serves until killed.
"""
import base64
import email.parser
import email.policy
import hashlib
import json
import select
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

SPEECH = bytes(range(256)) * 800          # 200 KiB that no text decoder would leave alone
changed = threading.Condition()
calls, counters, files = [], {}, {}


def words(text, count):
    given = text.split() or ["nothing"]
    return [given[i % len(given)] + " " for i in range(count)]


def vector(text, dimensions=16):
    digest = hashlib.sha512(text.encode()).digest()
    return [(b - 127.5) / 127.5 for b in digest[:dimensions]]


def usage(prompt, answer):
    return {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer,
            "prompt_tokens_details": {"cached_tokens": 0}, "x_mock_unknown": {"kept": True}}


def last_text(body):
    message = (body.get("messages") or [{}])[-1]
    content = message.get("content") or ""
    if isinstance(content, list):
        content = " ".join(part.get("text", "") for part in content)
    return content


class Gone(Exception):
    """The client closed the connection."""


class Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version = "tidegate-mock-provider (simulated)"

    # --- reading and writing -------------------------------------------------------------------------------------

    def read_body(self):
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def send(self, status, body, content_type="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        self.send_header("x-request-id", f"req_mock_{self.call['n']}")
        self.send_header("x-mock-provider", self.server.provider)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def error(self, status, message, code=None, kind="invalid_request_error", **headers):
        self.send(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, **headers)

    def begin_stream(self, content_type="text/event-stream"):
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("transfer-encoding", "chunked")
        self.send_header("x-request-id", f"req_mock_{self.call['n']}")
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def pause(self, seconds):
        """Waits, and notices at once a client that goes away."""
        if select.select([self.connection], [], [], seconds)[0]:
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise Gone

    def events(self, events, done=True, frames=lambda e: b"data: " + json.dumps(e).encode() + b"\n\n"):
        """Sends events at the pace asked for, and fails in the way asked for."""
        mock, self.close_connection = self.mock, False
        broken = mock.get("break", {}) if self.chosen() else {}
        self.begin_stream()
        for i, event in enumerate(events):
            if broken and i == broken.get("after", 1):
                return self.break_stream(broken.get("how", "reset"))
            self.pause(mock.get("chunk_ms", 0) / 1000)
            self.chunk(frames(event))
        if done:
            self.chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def break_stream(self, how):
        self.close_connection = True
        if how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif how == "error-event":
            self.chunk(b'data: {"error":{"message":"the mock gives up","type":"server_error","code":"mock_failed"}}\n\n')
            self.wfile.write(b"0\r\n\r\n")
        elif how == "stall":
            while True:
                self.pause(60)
        # "close": the connection ends without the last chunk.

    # --- dispatch ------------------------------------------------------------------------------------------------

    def chosen(self):
        return self.server.provider in self.mock.get("only", [self.server.provider])

    def asked_to_fail(self):
        if "status" not in self.mock or not self.chosen():
            return False
        key = (self.server.provider, json.dumps(self.mock, sort_keys=True))
        with changed:
            counters[key] = counters.get(key, 0) + 1
            return counters[key] <= self.mock.get("times", 1 << 30)

    def handle_request(self):
        raw = self.read_body()
        url = urlsplit(self.path)
        if url.path.endswith("/health"):
            self.call = {"n": 0}
            return self.send(200, {"status": "ok"})
        content_type = self.headers.get("content-type", "")
        self.body, parts = {}, []
        if content_type.startswith("application/json") and raw:
            self.body = json.loads(raw)
        elif content_type.startswith("multipart/form-data"):
            parts = self.multipart(content_type, raw)
        self.mock = self.body.get("mock") or {}
        with changed:
            self.call = {"n": len(calls) + 1, "provider": self.server.provider, "method": self.command, "path": url.path,
                         "query": url.query, "headers": [[k.lower(), v] for k, v in self.headers.items()],
                         "length": len(raw), "sha256": hashlib.sha256(raw).hexdigest(),
                         "body": base64.b64encode(raw).decode() if len(raw) < 1 << 17 else None, "parts": parts, "cancelled": False}
            calls.append(self.call)
            changed.notify_all()
        try:
            if "delay_ms" in self.mock and self.chosen():
                self.pause(self.mock["delay_ms"] / 1000)
            if self.asked_to_fail():
                status = self.mock["status"]
                headers = {"retry_after": self.mock["retry_after"]} if "retry_after" in self.mock else {}
                code = self.mock.get("code", "rate_limit_exceeded" if status == 429 else None)
                return self.error(status, self.mock.get("message", f"the mock was asked for {status}"), code,
                                  "invalid_request_error" if status < 429 else "server_error", **headers)
            self.route(url.path)
        except (Gone, BrokenPipeError, ConnectionResetError):
            self.close_connection = True
            with changed:
                self.call["cancelled"] = True
                changed.notify_all()

    do_GET = do_POST = do_DELETE = handle_request

    def multipart(self, content_type, raw):
        """The parts' heads are read by the library, their bodies are cut out: megabytes of them take it seconds."""
        boundary = b"\r\n--" + email.message_from_string(f"content-type: {content_type}\r\n\r\n").get_boundary().encode()
        parts = []
        for piece in (b"\r\n" + raw).split(boundary)[1:-1]:
            head, data = piece.removeprefix(b"\r\n").split(b"\r\n\r\n", 1)
            part = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + b"\r\n\r\n")
            parts.append({"name": part.get_param("name", header="content-disposition"), "filename": part.get_filename(),
                          "length": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                          "text": data.decode("utf-8", "replace") if part.get_filename() is None else None})
        return parts

    def route(self, path):
        # Azure: /openai/deployments/NAME/chat/completions; everybody else: /v1/chat/completions.
        rest = path.split("/v1/", 1)[-1] if "/v1/" in path else "/".join(path.split("/")[4:])
        name = {"chat/completions": "chat", "completions": "completions", "embeddings": "embeddings", "responses": "responses",
                "models": "models", "files": "file_list" if self.command == "GET" else "file_upload", "moderations": "moderations",
                "audio/transcriptions": "transcription", "audio/speech": "speech", "images/generations": "image"}.get(rest)
        if name:
            return getattr(self, f"answer_{name}")()
        kind, _, tail = rest.partition("/")
        if kind == "models":
            return self.send(200, self.model(tail))
        if kind == "files" and tail.removesuffix("/content") in files:
            file, data = files[tail.removesuffix("/content")]
            return self.send(200, data, "application/octet-stream") if tail.endswith("/content") else self.send(200, file)
        self.error(404, f"the mock has no {self.command} {path}", "not_found")

    # --- endpoints -----------------------------------------------------------------------------------------------

    def answer_chat(self):
        body, text = self.body, last_text(self.body)
        head = {"id": f"chatcmpl-mock-{self.call['n']}", "created": 1700000000, "model": body.get("model", "azure"),
                "system_fingerprint": "fp_mock", "x_mock_unknown": self.server.provider}
        wanted = body.get("tools") or []
        tool_calls = [{"id": f"call_mock_{i}", "type": "function", "function": {
            "name": tool["function"]["name"], "arguments": json.dumps({"city": ["Kraków", "Łódź", "東京"][i % 3], "n": i},
                                                                      ensure_ascii=False)}} for i, tool in enumerate(wanted)]
        if size := self.mock.get("echo"):
            # What was said comes back in the arguments of the first tool, or as it is, in pieces of `echo` characters.
            if tool_calls:
                tool_calls[0]["function"]["arguments"] = json.dumps({"note": text})
            else:
                return self.echo(head, text, size)
        content = None if tool_calls else self.mock.get("say", f"{self.server.provider} says: {text}")
        reason = "tool_calls" if tool_calls else "stop"
        counted = usage(len(text.split()), 7)
        if not body.get("stream"):
            message = {"role": "assistant", "content": content, "refusal": None}
            if tool_calls:
                message["tool_calls"] = tool_calls
            choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
            return self.send(200, {**head, "object": "chat.completion", "choices": [choice], "usage": counted})
        with_usage = (body.get("stream_options") or {}).get("include_usage")

        def frame(delta, finish=None):
            event = {**head, "object": "chat.completion.chunk",
                     "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}
            return {**event, "usage": None} if with_usage else event

        events = [frame({"role": "assistant", "content": None if tool_calls else ""})]
        events += [frame(delta) for delta in self.tool_deltas(tool_calls)]
        if not tool_calls:
            count = self.mock.get("chunks", len(content.split()))
            events += [frame({"content": w}) for w in words(content, count)]
        events.append(frame({}, reason))
        if with_usage:
            events.append({**head, "object": "chat.completion.chunk", "choices": [], "usage": counted})
        self.events(events)

    def echo(self, head, text, size):
        head = {**head, "object": "chat.completion.chunk"}
        deltas = [{"role": "assistant", "content": ""}, *({"content": text[i:i + size]} for i in range(0, len(text), size)), {}]
        last = len(deltas) - 1
        self.events([{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": "stop" if i == last else None}]}
                     for i, delta in enumerate(deltas)])

    @staticmethod
    def tool_deltas(tool_calls):
        """Parallel tool calls as providers stream them: each call's head, then pieces of the arguments, interleaved."""
        for i, call in enumerate(tool_calls):
            yield {"tool_calls": [{"index": i, "id": call["id"], "type": "function",
                                   "function": {"name": call["function"]["name"], "arguments": ""}}]}
        longest = max((len(c["function"]["arguments"]) for c in tool_calls), default=0)
        for at in range(0, longest, 3):
            for i, call in enumerate(tool_calls):
                if piece := call["function"]["arguments"][at:at + 3]:
                    yield {"tool_calls": [{"index": i, "function": {"arguments": piece}}]}

    def answer_completions(self):
        text = f"{self.server.provider} says: {self.body.get('prompt')}"
        head = {"id": "cmpl-mock", "object": "text_completion", "created": 1700000000, "model": self.body["model"]}
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
        if self.body.get("stream"):
            return self.events([{**head, "choices": [{**choice, "text": w, "finish_reason": None}]} for w in words(text, 5)])
        self.send(200, {**head, "choices": [choice], "usage": usage(5, 7)})

    def answer_embeddings(self):
        given = self.body["input"]
        data = []
        for i, text in enumerate([given] if isinstance(given, str) else given):
            values = vector(text if isinstance(text, str) else json.dumps(text))
            if self.body.get("encoding_format") == "base64":
                values = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
            data.append({"object": "embedding", "index": i, "embedding": values})
        self.send(200, {"object": "list", "model": self.body["model"], "data": data, "usage": {"prompt_tokens": 3, "total_tokens": 3}})

    def answer_responses(self):
        given = self.body["input"]
        text = f"{self.server.provider} says: {given if isinstance(given, str) else given[-1]['content']}"
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
        item = {"type": "message", "id": "msg_mock", "status": "completed", "role": "assistant", "content": [part]}
        final = {"id": "resp_mock", "object": "response", "created_at": 1700000000, "status": "completed", "error": None,
                 "incomplete_details": None, "instructions": None, "metadata": {}, "model": self.body["model"], "output": [item],
                 "parallel_tool_calls": True, "temperature": 1.0, "tool_choice": "auto", "tools": [], "top_p": 1.0,
                 "usage": {"input_tokens": 3, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 4,
                           "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 7}}
        if not self.body.get("stream"):
            return self.send(200, final)
        started = {**final, "status": "in_progress", "output": [], "usage": None}
        at = {"item_id": "msg_mock", "output_index": 0, "content_index": 0}
        empty = {**item, "status": "in_progress", "content": []}
        events = [{"type": "response.created", "response": started}, {"type": "response.in_progress", "response": started},
                  {"type": "response.output_item.added", "output_index": 0, "item": empty},
                  {"type": "response.content_part.added", **at, "part": {**part, "text": ""}}]
        events += [{"type": "response.output_text.delta", **at, "delta": piece, "logprobs": []}
                   for piece in [text[i:i + 5] for i in range(0, len(text), 5)]]
        events += [{"type": "response.output_text.done", **at, "text": text, "logprobs": []},
                   {"type": "response.content_part.done", **at, "part": part},
                   {"type": "response.output_item.done", "output_index": 0, "item": item},
                   {"type": "response.completed", "response": final}]
        numbered = [{**event, "sequence_number": i} for i, event in enumerate(events)]
        self.events(numbered, done=False,
                    frames=lambda e: f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode())

    @staticmethod
    def model(name):
        return {"id": name, "object": "model", "created": 1700000000, "owned_by": "mock"}

    def answer_models(self):
        self.send(200, {"object": "list", "data": [self.model(name) for name in ("chat", "mock-chat", "small")]})

    def answer_file_upload(self):
        part = next(p for p in self.call["parts"] if p["name"] == "file")
        name = f"file-mock{self.call['n']}"
        file = {"id": name, "object": "file", "bytes": part["length"], "created_at": 1700000000, "filename": part["filename"],
                "purpose": next(p["text"] for p in self.call["parts"] if p["name"] == "purpose"), "status": "processed"}
        files[name] = (file, SPEECH)
        self.send(200, file)

    def answer_file_list(self):
        self.send(200, {"object": "list", "data": [file for file, _ in files.values()], "has_more": False})

    def answer_transcription(self):
        part = next(p for p in self.call["parts"] if p["name"] == "file")
        self.send(200, {"text": part["sha256"]})

    def answer_speech(self):
        self.begin_stream("audio/mpeg")
        for at in range(0, len(SPEECH), 5000):
            self.chunk(SPEECH[at:at + 5000])
        self.wfile.write(b"0\r\n\r\n")

    def answer_moderations(self):
        self.send(200, {"id": "modr-mock", "model": "mock", "results": [{"flagged": False, "categories": {}, "category_scores": {},
                                                                         "category_applied_input_types": {}}]})

    def answer_image(self):
        self.send(200, {"created": 1700000000, "data": [{"b64_json": base64.b64encode(SPEECH).decode()}]})

    def log_message(self, *args):
        pass


class Control(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/wait":
            query = {k: float(v[0]) for k, v in parse_qs(url.query).items()}
            started = time.monotonic()
            with changed:
                met = changed.wait_for(lambda: sum(c["cancelled"] for c in calls) >= query["cancelled"], query.get("timeout", 5))
            return self.answer({"met": met, "waited_ms": (time.monotonic() - started) * 1000})
        with changed:
            self.answer(calls)

    def do_POST(self):
        with changed:
            calls.clear(), counters.clear()
        self.answer({})

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request, client_address):
        """A connection that is cut is what half of the tests are about; anything else is a fault of the mock."""
        if not isinstance(sys.exc_info()[1], (OSError, ValueError)):
            super().handle_error(request, client_address)


def main(names):
    urls = {}
    for name in [*names, "control"]:
        server = Server(("127.0.0.1", 0), Control if name == "control" else Provider)
        server.provider = name
        urls[name] = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps(urls), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1:])
