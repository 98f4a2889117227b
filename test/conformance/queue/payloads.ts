import assert from "node:assert/strict";
import type { Payload, QueueStore } from "../../../src/queue/repository.ts";
import type { Cases, StorageUnderTest } from "../cases.ts";
import { changes, hostileTexts, task, text } from "./fixtures.ts";

export const payloadCases: Cases<QueueStore> = {
  async "a payload is given back as it was put: bytes"(storage) {
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    const large = new Uint8Array(1024 * 1024).map((_, index) => index % 251);
    // A view of a larger buffer is just what it shows.
    const view = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    await expectKept(
      storage,
      [every, large, view, new Uint8Array(0), Buffer.from("text of its own")].map((value) => ({
        format: "data",
        value,
        attributes: undefined,
      })),
    );
  },

  async "a payload is given back as it was put: text"(storage) {
    const large = "é".repeat(512 * 1024);
    await expectKept(storage, [...hostileTexts, "", "0", "1.0", "1e5", large].map(text));
  },

  async "a payload is given back as it was put: JSON, to the character"(storage) {
    const texts = [
      "null",
      "true",
      "0",
      "-0",
      "1.0",
      "1e400",
      "9007199254740993",
      '""',
      '"a\\u0000b"',
      '{"b":1,"a":2,"b":3}',
      '{"__proto__":{"x":1}}',
      " [ 1 , 2 ] ",
    ];
    await expectKept(
      storage,
      texts.map((value) => ({ format: "json", value, attributes: undefined })),
    );
  },

  async "attributes are given back as they were put"(storage) {
    const all = Object.fromEntries(hostileTexts.map((hostile) => [hostile, hostile]));
    const maps = [{}, { a: "" }, { "": "a" }, { b: "1", a: "2", B: "3" }, all];
    await expectKept(
      storage,
      maps.map((attributes) => ({ format: "text", value: "", attributes })),
    );
  },

  async "a key that is not there is left out"(storage) {
    const store = await storage.open();
    await store.commit(changes({ inserts: [task(1), task(2), task(4)] }));
    await store.commit(changes({ removes: [2] }));
    assert.equal((await store.payloads([])).size, 0);
    const found = await store.payloads([4, 3, 2, 1, 0, 1_000_000]);
    assert.deepEqual(
      [...found].sort(([a], [b]) => a - b),
      [
        [1, text("task 1")],
        [4, text("task 4")],
      ],
    );
  },

  async "payloads are found for ten thousand keys in any order, and for them alone"(storage) {
    const store = await storage.open();
    const keys = Array.from({ length: 20_000 }, (_, index) => index + 1);
    await store.commit(changes({ inserts: keys.map((key) => task(key)) }));
    // Every other key, in an order that is neither up nor down.
    const asked = keys.filter((key) => key % 2 === 0).sort((a, b) => (a % 97) - (b % 97) || b - a);
    const found = await store.payloads(asked);
    assert.equal(found.size, asked.length);
    for (const key of asked) assert.deepEqual(found.get(key), text(`task ${key}`));
  },
};

/** Puts a task for each payload, and expects every one back, at once and after a reopening. */
async function expectKept(
  storage: StorageUnderTest<QueueStore>,
  payloads: readonly Payload[],
): Promise<void> {
  const store = await storage.open();
  const inserts = payloads.map((payload, index) => task(index + 1, { payload }));
  await store.commit(changes({ inserts }));
  const keys = inserts.map(({ key }) => key);
  const expected = payloads.map(plain);
  const now = await store.payloads(keys);
  assert.deepEqual(
    keys.map((key) => plain(now.get(key))),
    expected,
  );
  await storage.close();
  const later = await (await storage.open()).payloads(keys);
  assert.deepEqual(
    keys.map((key) => plain(later.get(key))),
    expected,
  );
}

/** Buffers and Uint8Arrays of the same bytes are the same to a caller; so are like attributes. */
function plain(payload: Payload | undefined): object | undefined {
  if (payload === undefined) return undefined;
  const { format, value, attributes } = payload;
  return {
    format,
    value: typeof value === "string" ? value : Buffer.from(value).toString("hex"),
    attributes: attributes && Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}
