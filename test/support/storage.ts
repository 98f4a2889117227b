import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import { testDatabase } from "./mongodb.ts";
import { currentStorage } from "./on-each-storage.ts";

type Settings = Readonly<Record<string, string>>;

/** One for all services of this process: on one database they must have the same. */
const SEALING_KEY = randomBytes(32).toString("base64");

/** What the folders of running tests stand for where they are not used. */
const databases = new Map<string, Promise<string>>();

/**
 * The settings by which a service keeps its data in a folder or, where the test runs on MongoDB, in
 * a database that stands for this folder until the test ends.
 */
export async function storageSettings(t: TestContext, folder: string): Promise<Settings> {
  if (currentStorage() === "sqlite") return { USHER_STORAGE: `sqlite:${folder}` };
  let url = databases.get(folder);
  if (url === undefined) {
    url = testDatabase(t);
    databases.set(folder, url);
    t.after(() => databases.delete(folder));
  }
  return mongodbSettings(await url);
}

export function mongodbSettings(url: string): Settings {
  return { USHER_STORAGE: url, USHER_AUTH_SEALING_KEYS: SEALING_KEY };
}
