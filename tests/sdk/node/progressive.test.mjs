// Progressive answers through the official Node SDK: the edge's draft and the cloud's answer in one stream.
// What a reader could get wrong: the cloud is slow here, so the draft is always there first; whatever reads the stream without knowing of
// drafts must show the cloud's answer alone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { direct, start, user } from "./support.mjs";

const gateway = { skip: direct ? "needs the gateway, TIDEGATE_DIRECT=1" : false };
const text = user[0].content;
const headers = { "x-tidegate-mode": "progressive" };
const slow = { only: ["alpha"], delay_ms: 300 };
const fails = { ...slow, status: 500 };

test("whoever reads the first choice sees the answer alone", gateway, async () => {
  const { client } = await start();
  const stream = await client.chat.completions.create({ model: "hybrid", messages: user, stream: true, mock: slow }, { headers });
  let [said, drafted] = ["", ""];
  for await (const chunk of stream) {
    said += chunk.choices[0]?.delta?.content ?? "";
    drafted += chunk.choices[1]?.delta?.content ?? "";
  }
  assert.equal(said.trim(), `alpha says: ${text}`);
  assert.equal(drafted.trim(), `edge says: ${text}`);
});

test("the chat helper puts both together", gateway, async () => {
  const { client } = await start();
  const final = await client.chat.completions.stream({ model: "hybrid", messages: user, mock: slow }, { headers }).finalChatCompletion();
  const [answer, draft] = final.choices;
  assert.equal(answer.message.content.trim(), `alpha says: ${text}`);
  assert.equal(draft.message.content.trim(), `edge says: ${text}`);
  assert.deepEqual(draft.tidegate, { draft: true });
  assert.equal(answer.tidegate, undefined);
});

test("a draft that becomes the answer is the helper's answer", gateway, async () => {
  const { client } = await start();
  const runner = client.chat.completions.stream({ model: "hybrid", messages: user, mock: fails }, { headers });
  const final = await runner.finalChatCompletion();
  assert.equal(final.choices[0].message.content.trim(), `edge says: ${text}`);
  assert.deepEqual(final.choices[0].tidegate, { final: "draft", reason: "cloud-failed" });
});

for (const [mock, said] of [[slow, "alpha says: "], [fails, "edge says: "]]) {
  test(`responses give the answer alone as text: ${said}`, gateway, async () => {
    const { client } = await start();
    const stream = client.responses.stream({ model: "hybrid", input: text, mock }, { headers });
    let deltas = "";
    stream.on("response.output_text.delta", (event) => (deltas += event.delta));
    const final = await stream.finalResponse();
    assert.equal(final.output_text, said + text);
    assert.equal(deltas, said + text);
    const [draft, answer] = final.output;
    assert.equal(draft.type, "reasoning");
    assert.equal(draft.content[0].text, `edge says: ${text}`);
    assert.deepEqual(draft.tidegate, { draft: true });
    assert.equal(answer.type, "message");
  });
}
