// Answers from memory as the official Node SDK reads them, in the form it asks for.
// What a reader could get wrong: the gateway's memory outlives a test, so each asks something that nobody has asked before.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import OpenAI from "openai";
import { direct, mock, time, weather } from "./support.mjs";

const gateway = { skip: direct ? "needs the gateway, TIDEGATE_DIRECT=1" : false };

async function start() {
  await mock.reset();
  return new OpenAI({ baseURL: `${process.env.TIDEGATE_CACHE_URL}/v1`, apiKey: "sk-the-clients-own-key" });
}

const fresh = () => ({ model: "chat", messages: [{ role: "user", content: `Where does river ${randomUUID()} go? Ł 東京 🚢` }] });
const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("");

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

// What the cache was to a call, and what came of it.
async function ask(promise) {
  const { data, response } = await promise.withResponse();
  return [response.headers.get("x-tidegate-cache"), data];
}

async function untilHit(call) {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const [cache, answer] = await ask(call());
    if (cache === "hit") return answer;
    assert.ok(Date.now() < deadline, "it was not kept");
  }
}

test("plain, then plain and as a stream from memory", gateway, async () => {
  const client = await start();
  const asked = fresh();
  const [first, plain] = await ask(client.chat.completions.create(asked));
  const [second, again] = await ask(client.chat.completions.create(asked));
  assert.deepEqual([first, second], ["miss", "hit"]);
  assert.deepEqual(again.choices, plain.choices);
  const [third, stream] = await ask(client.chat.completions.create({ ...asked, stream: true, stream_options: { include_usage: true } }));
  const chunks = await collect(stream);
  assert.equal(third, "hit");
  assert.equal(textOf(chunks), plain.choices[0].message.content);
  assert.equal(chunks.at(-1).usage.total_tokens, plain.usage.total_tokens);
  assert.equal((await mock.calls()).length, 1);
});

test("a stream, then plain from memory", gateway, async () => {
  const client = await start();
  const asked = fresh();
  const chunks = await collect(await client.chat.completions.create({ ...asked, stream: true }));
  const plain = await untilHit(() => client.chat.completions.create(asked));
  assert.equal(plain.choices[0].message.content, textOf(chunks));
  assert.equal((await mock.calls()).length, 1);
});

test("tool calls streamed from memory are put together by the SDK's own helper", gateway, async () => {
  const client = await start();
  const asked = { ...fresh(), tools: [weather, time] };
  await client.chat.completions.create(asked);
  const final = await client.chat.completions.stream(asked).finalChatCompletion();
  assert.deepEqual(
    final.choices[0].message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments).city]),
    [["weather", "Kraków"], ["time", "Łódź"]],
  );
  assert.equal((await mock.calls()).length, 1);
});

test("responses, plain, streamed and by the SDK's helper", gateway, async () => {
  const client = await start();
  const asked = { model: "chat", input: `tide ${randomUUID()}` };
  const plain = await client.responses.create(asked);
  const [cache, stream] = await ask(client.responses.create({ ...asked, stream: true }));
  const events = await collect(stream);
  assert.equal(cache, "hit");
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  assert.equal(events.at(-1).type, "response.completed");
  assert.equal(events.filter((e) => e.type === "response.output_text.delta").map((e) => e.delta).join(""), plain.output_text);
  assert.equal((await client.responses.stream(asked).finalResponse()).output_text, plain.output_text);
  assert.equal((await mock.calls()).length, 1);
});

test("embeddings from memory", gateway, async () => {
  const client = await start();
  const asked = { model: "chat", input: [`tide ${randomUUID()}`, "gate"] };
  const first = await client.embeddings.create(asked);
  const [cache, again] = await ask(client.embeddings.create(asked));
  assert.equal(cache, "hit");
  assert.deepEqual(again.data, first.data);
});

test("twenty identical streams make one call", gateway, async () => {
  const client = await start();
  const asked = { ...fresh(), stream: true, mock: { delay_ms: 500, chunks: 40, chunk_ms: 2 } };
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const [cache, stream] = await ask(client.chat.completions.create(asked));
      return [cache, await collect(stream)];
    }),
  );
  assert.equal((await mock.calls()).length, 1);
  assert.equal(answers.filter(([cache]) => cache === "miss").length, 1);
  assert.equal(new Set(answers.map(([, chunks]) => textOf(chunks))).size, 1);
  assert.ok(answers.every(([, chunks]) => chunks.at(-1).choices[0].finish_reason === "stop"));
});

test("refresh asks anew", gateway, async () => {
  const client = await start();
  const asked = fresh();
  const [, first] = await ask(client.chat.completions.create(asked));
  const [cache, answer] = await ask(client.chat.completions.create(asked, { headers: { "x-tidegate-cache": "refresh" } }));
  assert.equal(cache, "miss");
  assert.notEqual(answer.id, first.id);
});
