// What the Node tests share: the official client against the gateway, and a look at what reached the simulated providers.
// What a reader could get wrong: retries are the SDK's default; `sent` counts what it really put on the wire.
import OpenAI from "openai";

export const direct = process.env.TIDEGATE_DIRECT === "1";
export const user = [{ role: "user", content: "Where does the river go? Ł 東京 🚢" }];
const parameters = { type: "object", properties: { city: { type: "string" }, n: { type: "integer" } } };
export const weather = { type: "function", function: { name: "weather", parameters } };
export const time = { type: "function", function: { name: "time", parameters } };
// As in mock_provider.py.
export const speech = Buffer.from(Array.from({ length: 256 * 800 }, (_, i) => i % 256));

const control = process.env.MOCK_CONTROL_URL;

export const mock = {
  reset: () => fetch(`${control}/reset`, { method: "POST" }),
  calls: async () => (await fetch(`${control}/calls`)).json(),
  waitCancelled: async (count = 1, timeout = 5) => (await fetch(`${control}/wait?cancelled=${count}&timeout=${timeout}`)).json(),
};

export const body = (call) => JSON.parse(Buffer.from(call.body, "base64"));
export const header = (call, name) => call.headers.find(([key]) => key === name)?.[1];

// A fresh client and an empty mock.
export async function start() {
  await mock.reset();
  const sent = [];
  const client = new OpenAI({
    baseURL: `${process.env.TIDEGATE_URL}/v1`,
    apiKey: "sk-the-clients-own-key",
    fetch: (url, init) => {
      sent.push({ url, init });
      return fetch(url, init);
    },
  });
  return { client, sent };
}
