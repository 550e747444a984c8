// The official Node SDK, its base URL swapped: what an application calls, what it gets, what reaches the provider.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";
import { body, direct, header, mock, speech, start, time, user, weather } from "./support.mjs";

const gateway = { skip: direct ? "needs the gateway, TIDEGATE_DIRECT=1" : false };
const sha256 = (data) => createHash("sha256").update(data).digest("hex");

async function collect(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? "").join("").trim();

test("chat answers, and unknown fields survive both ways", async () => {
  const { client } = await start();
  const answer = await client.chat.completions.create({ model: "chat", messages: user, x_unknown: { kept: true } });
  assert.equal(answer.choices[0].message.content, `alpha says: ${user[0].content}`);
  assert.equal(answer.x_mock_unknown, "alpha");
  const [call] = await mock.calls();
  assert.deepEqual(body(call).x_unknown, { kept: true });
});

test("a stream arrives whole, without usage that was not asked for", async () => {
  const { client } = await start();
  const chunks = await collect(await client.chat.completions.create({ model: "chat", messages: user, stream: true }));
  assert.equal(textOf(chunks), `alpha says: ${user[0].content}`);
  assert.ok(chunks.every((c) => c.choices.length === 1 && !c.usage));
});

test("a stream with usage ends with it", async () => {
  const { client } = await start();
  const chunks = await collect(
    await client.chat.completions.create({ model: "chat", messages: user, stream: true, stream_options: { include_usage: true } }),
  );
  assert.deepEqual(chunks.at(-1).choices, []);
  assert.ok(chunks.at(-1).usage.total_tokens > 0);
});

test("parallel tool calls are put together by the SDK's own helper", async () => {
  const { client } = await start();
  const stream = client.chat.completions.stream({ model: "chat", messages: user, tools: [weather, time] });
  const final = await stream.finalChatCompletion();
  assert.deepEqual(
    final.choices[0].message.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments).city]),
    [["weather", "Kraków"], ["time", "Łódź"]],
  );
});

test("embeddings: the SDK's base64 default and floats agree", async () => {
  const { client } = await start();
  const packed = await client.embeddings.create({ model: "chat", input: ["tide", "gate"] });
  const plain = await client.embeddings.create({ model: "chat", input: ["tide", "gate"], encoding_format: "float" });
  assert.equal(body((await mock.calls())[0]).encoding_format, "base64");
  plain.data.forEach((one, i) => one.embedding.forEach((v, j) => assert.ok(Math.abs(v - packed.data[i].embedding[j]) < 1e-6)));
});

test("responses, plain and streamed", async () => {
  const { client } = await start();
  assert.equal((await client.responses.create({ model: "chat", input: "tide" })).output_text, "alpha says: tide");
  const events = await collect(await client.responses.create({ model: "chat", input: "tide", stream: true }));
  assert.deepEqual(events.map((e) => e.sequence_number), events.map((_, i) => i));
  assert.equal(events.at(-1).type, "response.completed");
});

test("models are listed and retrieved", async () => {
  const { client } = await start();
  const ids = (await client.models.list()).data.map((m) => m.id);
  assert.ok(ids.includes("chat"));
  assert.equal((await client.models.retrieve("chat")).id, "chat");
});

test("an upload arrives byte for byte", async () => {
  const { client } = await start();
  const blob = Buffer.concat([randomBytes(1 << 20), Buffer.from("\r\n--x\r\n")]);
  const file = await client.files.create({ file: await toFile(blob, "tide Ł.bin"), purpose: "user_data" });
  assert.equal(file.bytes, blob.length);
  const [call] = await mock.calls();
  assert.equal(call.parts.find((p) => p.name === "file").sha256, sha256(blob));
});

test("audio goes up and comes down as bytes", async () => {
  const { client } = await start();
  const blob = randomBytes(100_000);
  const heard = await client.audio.transcriptions.create({ model: "whisper-1", file: await toFile(blob, "a.wav") });
  assert.equal(heard.text, sha256(blob));
  const spoken = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input: "tide" });
  assert.ok(Buffer.from(await spoken.arrayBuffer()).equals(speech));
});

test("an aborted stream cancels the upstream", async () => {
  const { client } = await start();
  const stream = await client.chat.completions.create({
    model: "chat", messages: user, stream: true, mock: { chunks: 100000, chunk_ms: 10 },
  });
  let seen = 0;
  for await (const _ of stream) if (++seen === 5) break;
  assert.ok((await mock.waitCancelled()).met, "the provider still streams to nobody");
});

test("an unknown model is a NotFoundError with its code", gateway, async () => {
  const { client, sent } = await start();
  await assert.rejects(client.chat.completions.create({ model: "gpt-nothing", messages: user }), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.code, "model_not_found");
    return true;
  });
  assert.equal(sent.length, 1);
});

test("an upstream's 400 passes through", async () => {
  const { client, sent } = await start();
  const asked = { model: "chat", messages: user, mock: { status: 400, code: "mock_code" } };
  await assert.rejects(client.chat.completions.create(asked), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, "mock_code");
    return true;
  });
  assert.equal(sent.length, 1);
});

for (const [status, type] of [[429, OpenAI.RateLimitError], [500, OpenAI.InternalServerError], [503, OpenAI.InternalServerError]]) {
  test(`${status} from every target is told once: the SDK does not retry`, gateway, async () => {
    const { client, sent } = await start();
    await assert.rejects(client.chat.completions.create({ model: "failover", messages: user, mock: { status } }), (error) => {
      assert.ok(error instanceof type, `${error}`);
      assert.equal(error.headers.get("x-should-retry"), "false");
      return true;
    });
    assert.equal(sent.length, 1);
    assert.deepEqual([...new Set((await mock.calls()).map((c) => c.provider))], ["alpha", "beta"]);
  });
}

test("another target takes over, and the answer says so", gateway, async () => {
  const { client, sent } = await start();
  const { data, response } = await client.chat.completions
    .create({ model: "failover", messages: user, mock: { status: 500, only: ["alpha"] } })
    .withResponse();
  assert.match(data.choices[0].message.content, /^beta says/);
  assert.equal(response.headers.get("x-tidegate-model"), "beta-model");
  assert.match(response.headers.get("x-tidegate-attempts"), /^alpha-model:.+,beta-model:ok$/);
  assert.equal(sent.length, 1);
});

test("a stream that breaks raises", gateway, async () => {
  const { client } = await start();
  const asked = { model: "chat", messages: user, stream: true, mock: { chunks: 50, break: { after: 5, how: "reset" } } };
  const stream = await client.chat.completions.create(asked);
  await assert.rejects(collect(stream), (error) => error instanceof OpenAI.APIError);
});

test("azure behind the plain client", gateway, async () => {
  const { client } = await start();
  await client.chat.completions.create({ model: "azure", messages: user });
  const [call] = await mock.calls();
  assert.equal(call.path, "/openai/deployments/gpt-4o-deployment/chat/completions");
  assert.equal(header(call, "api-key"), "azure-provider-key");
  assert.equal(header(call, "authorization"), undefined);
});

test("a redacted stream says what was said, and the provider sees labels", gateway, async () => {
  await mock.reset();
  const client = new OpenAI({ baseURL: `${process.env.TIDEGATE_TENANTS_URL}/v1`, apiKey: "sk-tg-private" });
  const said = "Dear Maria Lindqvist, write to maria.lindqvist@example.org.";
  const messages = [{ role: "user", content: said }];
  const chunks = await collect(await client.chat.completions.create({ model: "auto", messages, stream: true, mock: { echo: 2 } }));
  assert.equal(textOf(chunks), said);
  const note = { type: "function", function: { name: "note", parameters: { type: "object", properties: {} } } };
  const final = await client.chat.completions.stream({ model: "auto", messages, tools: [note], mock: { echo: 1 } }).finalChatCompletion();
  assert.equal(JSON.parse(final.choices[0].message.tool_calls[0].function.arguments).note, said);
  for (const call of await mock.calls()) assert.ok(!/Lindqvist|maria/.test(JSON.stringify(body(call))));
});
