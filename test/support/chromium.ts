import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { type Browser, chromium } from "playwright-core";

const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

const path = findChromium();

/** For the `skip` of a test that needs a browser: the reason, or false where there is one. */
export const withoutChromium =
  path === undefined &&
  "no Chromium: install it (apt-get install chromium) or name it in USHER_TEST_CHROMIUM";

/** Starts a browser that ends with the test. */
export async function startChromium(t: TestContext): Promise<Browser> {
  if (path === undefined) throw new Error("there is no Chromium");
  // As root, in containers and CI, it does not run inside its sandbox.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  const browser = await chromium.launch({ executablePath: path, args });
  t.after(() => browser.close());
  return browser;
}

function findChromium(): string | undefined {
  const { USHER_TEST_CHROMIUM: named, PATH = "" } = process.env;
  if (named) return named;
  const paths = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return paths.find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
