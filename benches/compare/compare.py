#!/usr/bin/env python3
"""Measures proxies before the same mock with oha: CPU per request, throughput, latency, memory; prints a table per kind of answer.

What a reader could get wrong: on a shared machine throughput and latency say little, CPU time per request says most: user plus
system time of the server's whole process tree (/proc), divided by the requests answered. The servers take turns in several rounds
and the median counts, so that a noisy minute hits all of them alike. One worker each by default, so that none can hide behind cores.
"""
import argparse
import collections
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")
HERE = pathlib.Path(__file__).resolve().parent
# A 1 KB prompt, as an SDK would send it.
KEY = "sk-tg-bench"
PROMPT = "What does the harbour keep, and what does the river bring when the hills let go of it? " * 9

NGINX = """
daemon off; master_process on; worker_processes {workers}; pid {work}/nginx.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {work}/body; proxy_temp_path {work}/proxy;
  fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s; client_max_body_size 64m;
  proxy_cache_path {work}/cache keys_zone=answers:16m;
  upstream mock {{ server {mock}; keepalive 1024; keepalive_requests 100000000; }}
  server {{
    listen {listen} reuseport;
    proxy_http_version 1.1; proxy_set_header Connection "";
    location /json/ {{ proxy_pass http://mock; }}
    location /hit/ {{
      proxy_pass http://mock/json/; client_body_buffer_size 64k;
      proxy_cache answers; proxy_cache_methods POST; proxy_cache_valid 200 1h; proxy_cache_key "$request_uri|$request_body";
    }}
    location / {{ proxy_pass http://mock; proxy_buffering off; }}
  }}
}}
"""
TIDEGATE = """
listen: {listen}
admin: 127.0.0.1:0
data_dir: {work}/{data}
server: {{workers: {workers}, max_connections: 60000, max_in_flight: 60000}}
upstreams:
  json: {{placement: cloud, kind: openai, base_url: "http://{mock}/json/v1", api_key: sk-bench}}
  sse: {{placement: cloud, kind: openai, base_url: "http://{mock}/sse/v1", api_key: sk-bench}}
  burst: {{placement: cloud, kind: openai, base_url: "http://{mock}/burst/v1", api_key: sk-bench}}
models:
  json: {{upstream: json, id: mock, price: {{input: 1, output: 2}}}}
  sse: {{upstream: sse, id: mock, price: {{input: 1, output: 2}}}}
  burst: {{upstream: burst, id: mock, price: {{input: 1, output: 2}}}}
routes:
  bench-hit: {{rules: [{{name: easy, when: "difficulty < 0.5 && pii.severity < 3", try: [json]}}, {{name: all, try: [json]}}]}}
  bench-json: {{rules: [{{name: all, try: [json]}}]}}
  bench-sse: {{rules: [{{name: all, try: [sse]}}]}}
  bench-burst: {{rules: [{{name: all, try: [burst]}}]}}
"""
# Nothing is recorded and nobody is asked for a key: what the books are compared with.
WITHOUT_BOOKS = "ledger: 'off'\n"
# Answers from memory, with nothing recorded and nobody asked for a key; and with everything that there is.
CACHE = "cache: {{}}\n"
PII = "pii: {{}}\n"
# Key, limits, budget, ledger and audit chain.
WITH_BOOKS = """
audit: {{checkpoint_every: 1000}}
tenants:
  bench:
    keys: ["sha256:{key}"]
    limits: {{requests_per_minute: 1000000000, tokens_per_minute: 1000000000000, in_flight: 60000}}
    budget: {{usd: 1000000000, per: day}}
"""

Sample = collections.namedtuple("Sample", "cpu rate p50 p99 rss failed")


def free_address():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{s.getsockname()[1]}"


class Server:
    """A process tree that listens."""

    def __init__(self, name, command, address, path="/{kind}/v1/chat/completions", log=None):
        self.name, self.address, self.path = name, address, path
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + 15
        while True:
            try:
                socket.create_connection(tuple(address.rsplit(":", 1)), 0.2).close()
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{name} does not listen on {address}; see {getattr(log, 'name', 'its output')}") from None
                time.sleep(0.05)

    def url(self, kind):
        return f"http://{self.address}" + self.path.format(kind=kind)

    def tree(self):
        """Its pid and those of all its descendants."""
        parents = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue += parents.get(pid, [])
        return found

    def cpu_seconds(self):
        """User and system time so far."""
        total = 0
        for pid in self.tree():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def rss_mb(self):
        total = 0
        for pid in self.tree():
            found = re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())
            total += int(found[1]) if found else 0
        return total / 1024

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def oha(url, body, seconds, connections, rate=None):
    """Runs the load; oha's own report."""
    command = ["oha", "--no-tui", "--output-format", "json", "-w", "-z", f"{seconds}s", "-c", str(connections), "-m", "POST", "-T",
               "application/json", "-H", f"authorization: Bearer {KEY}", "-D", body, "--disable-compression"]
    if rate:
        command += ["-q", str(rate), "--latency-correction"]
    done = subprocess.run([*command, url], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds + 60)
    if done.returncode:
        raise SystemExit(f"oha failed: {done.stderr[-500:]}")
    return json.loads(done.stdout)


def measure(server, kind, body, seconds, connections, rate=None):
    oha(server.url(kind), body, 1, connections, rate)
    before = server.cpu_seconds()
    report = oha(server.url(kind), body, seconds, connections, rate)
    cpu = server.cpu_seconds() - before
    good = report["statusCodeDistribution"].get("200", 0)
    bad = sum(n for status, n in report["statusCodeDistribution"].items() if status != "200") + sum(report["errorDistribution"].values())
    if not good:
        raise SystemExit(f"{server.name} answered no {kind} request with 200: {report['statusCodeDistribution']} {report['errorDistribution']}")
    latency = report["latencyPercentiles"]
    return Sample(cpu / good * 1e6, good / report["summary"]["total"], latency["p50"] * 1e3, latency["p99"] * 1e3, server.rss_mb(), bad)


def table(title, servers, samples, yardstick="nginx"):
    """Medians over the rounds, one line a server."""
    print(f"\n{title}")
    print(f"  {'':14}{'CPU µs/req':>11}{'spread':>15}{'req/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'RSS MB':>8}{'failed':>8}{'× ' + yardstick:>10}")
    median = {s.name: Sample(*(statistics.median(column) for column in zip(*samples[s.name]))) for s in servers}
    base = median.get(yardstick)
    for server in servers:
        m, cpu = median[server.name], [s.cpu for s in samples[server.name]]
        ratio = f"{m.cpu / base.cpu:.2f}" if base else "-"
        failed = sum(s.failed for s in samples[server.name])
        print(f"  {server.name:14}{m.cpu:>11.1f}{f'{min(cpu):.1f}–{max(cpu):.1f}':>15}{m.rate:>10.0f}{m.p50:>9.3f}{m.p99:>9.3f}"
              f"{m.rss:>8.1f}{failed:>8}{ratio:>10}")
    return median


def start(options, work):
    """The mock and the proxies, each with its worker count."""
    address = {name: free_address() for name in ("mock", "nginx", "pingora", "tidegate", "books")}
    values = {"workers": options.workers, "work": work, "mock": address["mock"]}
    log = open(f"{work}/servers.log", "w")
    servers = [Server("direct", [f"{options.built}/mock", address["mock"]], address["mock"], log=log)]
    path = "/usr/sbin:" + os.environ["PATH"]
    if any(os.access(f"{folder}/nginx", os.X_OK) for folder in path.split(":")) and "nginx" in options.servers:
        pathlib.Path(f"{work}/nginx.conf").write_text(NGINX.format(**values, listen=address["nginx"]))
        servers.append(Server("nginx", ["nginx", "-p", work, "-c", f"{work}/nginx.conf"], address["nginx"], log=log))
    if "pingora" in options.servers:
        command = [f"{options.built}/pingora_bare", address["pingora"], address["mock"], str(options.workers)]
        servers.append(Server("pingora-proxy", command, address["pingora"], log=log))
    if "tidegate" in options.servers:
        # `pii` and `difficulty` cost nothing where no route reads them and nothing is hidden.
        if options.kinds == ["hit"]:
            kinds = (("tidegate", WITHOUT_BOOKS + CACHE + PII), ("books", WITH_BOOKS + CACHE + PII))
        else:
            kinds = (("tidegate", WITHOUT_BOOKS), ("books", WITH_BOOKS))
        for name, more in kinds:
            values |= {"data": f"data-{name}", "key": hashlib.sha256(KEY.encode()).hexdigest()}
            pathlib.Path(f"{work}/{name}.yaml").write_text((TIDEGATE + more).format(**values, listen=address[name]))
            command = [options.tidegate, "serve", "-c", f"{work}/{name}.yaml", "--log-level", "warn"]
            servers.append(Server("tidegate" if name == "tidegate" else "  with books", command, address[name], "/v1/chat/completions", log=log))
    return servers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tidegate", required=True, help="its binary")
    parser.add_argument("--built", required=True, help="where mock and pingora_bare are")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 2 s instead of 5 of 5 s")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--servers", default="nginx,pingora,tidegate", type=lambda s: s.split(","))
    parser.add_argument("--kinds", default="json,sse,burst", type=lambda s: s.split(","), help="json, sse, burst; or hit, alone")
    options = parser.parse_args()
    if "hit" in options.kinds:
        # A bare proxy has no cache, and the others are not to be answered from one.
        options.kinds, options.servers = ["hit"], [name for name in options.servers if name != "pingora"]
    rounds = options.rounds or (2 if options.quick else 5)
    seconds = options.seconds or (2 if options.quick else 5)

    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)     # nginx's workers are another user
        servers = start(options, work)
        try:
            compare(options, servers, work, rounds, seconds)
        finally:
            for server in servers:
                server.stop()


def compare(options, servers, work, rounds, seconds):
    bodies = {}
    for kind in options.kinds:
        bodies[kind] = f"{work}/{kind}.json"
        request = {"model": f"bench-{kind}", "messages": [{"role": "user", "content": PROMPT}]}
        if kind not in ("json", "hit"):
            request |= {"stream": True, "stream_options": {"include_usage": True}}
        pathlib.Path(bodies[kind]).write_text(json.dumps(request))
    proxies = servers[1:]
    print(f"{rounds} rounds of {seconds} s, {options.connections} connections, {options.workers} worker(s) each, medians; "
          f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; CPU is the proxy's own, user and system")
    title = {"hit": "the same 1 KB prompt again and again: answers from the proxy's cache, at saturation", "json": "1 KB prompt, 1 KB answer, at saturation", "sse": "stream of 100 chunks 2 ms apart (CPU per stream)",
             "burst": "stream of 100 chunks in one burst (CPU per stream)"}
    for kind in options.kinds:
        samples = collections.defaultdict(list)
        for number in range(rounds):
            for server in (proxies if number % 2 == 0 else proxies[::-1]):
                samples[server.name].append(measure(server, kind, bodies[kind], seconds, options.connections))
        table(title[kind], proxies, samples)
    if "hit" in options.kinds:
        half = round(min(s.rate for of_server in samples.values() for s in of_server) / 2, -3)
        samples = collections.defaultdict(list)
        for number in range(rounds):
            for server in (proxies if number % 2 == 0 else proxies[::-1]):
                samples[server.name].append(measure(server, "hit", bodies["hit"], seconds, 32, half))
        table(f"the same at half load of the slowest, {half:.0f} requests/s, 32 connections", proxies, samples)
    if "json" in options.kinds:
        samples = collections.defaultdict(list)
        for number in range(rounds):
            for server in (servers if number % 2 == 0 else servers[::-1]):
                samples[server.name].append(measure(server, "json", bodies["json"], seconds, 32, 1000))
        median = table("the same at a steady 1,000 requests/s, 32 connections", servers, samples)
        print("\nadded latency over direct, µs")
        for server in proxies:
            m, direct = median[server.name], median["direct"]
            print(f"  {server.name:14}p50 {(m.p50 - direct.p50) * 1e3:>8.0f}   p99 {(m.p99 - direct.p99) * 1e3:>8.0f}")


if __name__ == "__main__":
    sys.exit(main())
