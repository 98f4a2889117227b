import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { Page } from "playwright-core";
import type { WebTransport } from "../support/browser-client.ts";
import { startChromium, withoutChromium } from "../support/chromium.ts";
import { startService } from "../support/service.ts";
import { servePageWith } from "../support/web-page.ts";

declare global {
  // The page keeps what it runs there.
  var tools: typeof import("../support/browser-client.ts") | undefined;
}

/** A page of `origin` in a browser, once its modules are there. */
async function openPage(t: TestContext, origin: string): Promise<Page> {
  const page = await (await startChromium(t)).newPage();
  await page.goto(origin);
  await page.waitForFunction(() => globalThis.tools !== undefined);
  return page;
}

describe("A page in a real browser, with connect-web,", { skip: withoutChromium }, () => {
  test("calls from an origin that is allowed, by each protocol", async (t) => {
    const origin = await servePageWith(t, "test/support/browser-client.ts");
    const usher = await startService(t, { USHER_HTTP_ALLOWED_ORIGINS: origin });
    const page = await openPage(t, origin);
    const names: WebTransport[] = ["Connect JSON", "Connect", "gRPC-Web"];
    for (const [index, name] of names.entries()) {
      const done = await page.evaluate(
        ([transport, baseUrl, tube]) => globalThis.tools?.workInBrowser(transport, baseUrl, tube),
        [name, `http://${usher.httpAddress}`, `tube-${index}`] as const,
      );
      assert.deepEqual(
        done,
        { changed: "event", taken: "hello", error: "TUBE_NOT_FOUND" },
        `${name} from ${origin}`,
      );
    }
  });

  test("does not get through from an origin that is not", async (t) => {
    const origin = await servePageWith(t, "test/support/browser-client.ts");
    const other = { USHER_HTTP_ALLOWED_ORIGINS: "https://app.example.com" };
    for (const env of [{}, other]) {
      const usher = await startService(t, env);
      const page = await openPage(t, origin);
      const outcome = await page.evaluate(
        (baseUrl) => globalThis.tools?.callInBrowser(baseUrl),
        `http://${usher.httpAddress}`,
      );
      assert.equal(outcome, "Failed to fetch");
    }
  });
});
