// Files and batches on the gateway's own queue, as the official Node SDK uses them.
// What a reader could get wrong: the SDK sends the parts of a form in the order in which the program names them: the file before its purpose.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI, { toFile } from "openai";
import { direct, mock, user } from "./support.mjs";

const gateway = { skip: direct ? "needs the gateway, TIDEGATE_DIRECT=1" : false };

async function start() {
  await mock.reset();
  return new OpenAI({ baseURL: `${process.env.TIDEGATE_DEFERRED_URL}/v1`, apiKey: "sk-the-clients-own-key" });
}

const lines = (count) =>
  Array.from({ length: count }, (_, n) =>
    JSON.stringify({ custom_id: `line-${n}`, method: "POST", url: "/v1/chat/completions", body: { model: "chat", messages: user } }),
  ).join("\n");

async function ended(client, batch) {
  const deadline = Date.now() + 60_000;
  while (!["completed", "failed", "expired", "cancelled"].includes(batch.status)) {
    assert.ok(Date.now() < deadline, JSON.stringify(batch));
    await new Promise((done) => setTimeout(done, 50));
    batch = await client.batches.retrieve(batch.id);
  }
  return batch;
}

const batch = { endpoint: "/v1/chat/completions", completion_window: "24h" };

test("a batch goes there and back, the file before its purpose or behind it", gateway, async () => {
  const client = await start();
  for (const order of ["file", "purpose"]) {
    const content = await toFile(Buffer.from(lines(7)), "lines.jsonl");
    const form = order === "file" ? { file: content, purpose: "batch" } : { purpose: "batch", file: content };
    const file = await client.files.create(form);
    assert.ok(file.id.startsWith("file-tg"));
    assert.equal(await (await client.files.content(file.id)).text(), lines(7));
    const done = await ended(client, await client.batches.create({ ...batch, input_file_id: file.id }));
    assert.equal(done.status, "completed", JSON.stringify(done));
    const output = (await (await client.files.content(done.output_file_id)).text()).trim().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual(output.map((line) => line.custom_id).sort(), [...Array(7).keys()].map((n) => `line-${n}`));
    assert.ok(output.every((line) => line.response.status_code === 200 && line.response.body.choices[0].message.content));
  }
});

test("a long file whose purpose comes behind it", gateway, async () => {
  const client = await start();
  const content = Buffer.from(lines(2000));
  const file = await client.files.create({ file: await toFile(content, "lines.jsonl"), purpose: "batch" });
  assert.equal(file.bytes, content.length);
  assert.ok((await client.files.delete(file.id)).deleted);
});

test("lists are walked to their end", gateway, async () => {
  const client = await start();
  const file = await client.files.create({ file: await toFile(Buffer.from(lines(1)), "lines.jsonl"), purpose: "batch" });
  const made = [];
  for (let n = 0; n < 3; n++) made.push((await client.batches.create({ ...batch, input_file_id: file.id })).id);
  const page = await client.batches.list({ limit: 2 });
  assert.deepEqual(page.data.map((entry) => entry.id), [made[2], made[1]]);
  assert.equal((await page.getNextPage()).data[0].id, made[0]);
});
