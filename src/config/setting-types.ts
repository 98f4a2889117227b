import { isIP } from "node:net";
import { z } from "zod";
import { isMongoUrl, readKey } from "./mongodb.ts";

/** What the settings page and the readers need to know of one setting. */
export interface SettingInfo {
  /** What the setting does, for its users. */
  readonly about: string;
  /** What may be written, for the page and for faults. */
  readonly allowed: string;
  /** The default as a user would write it; absent where a setting is not set by default. */
  readonly fallback?: string;
  /** Never shown; may come from a file as well. */
  readonly secret: boolean;
}

/** Tells settings (the leaves of the schema) from groups, and holds what is known of each. */
export const settingInfo = z.registry<SettingInfo>();

/** A socket address to listen on; port 0 takes any free port. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Where tasks and users are kept. */
export type StorageAddress =
  | {
      readonly kind: "sqlite";
      /** As written: relative to the working directory, or absolute. */
      readonly folder: string;
    }
  | {
      readonly kind: "mongodb";
      /** It may have a password in it. It must not be logged. */
      readonly url: string;
    };

const LONGEST_SHOWN = 60;
const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS = { "": 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const;

/** A length of time, read to milliseconds. */
export function duration(fallback: string, about: string, limits = { min: "1ms", max: "3650d" }) {
  const min = readDuration(limits.min) ?? 0;
  const max = readDuration(limits.max) ?? Number.POSITIVE_INFINITY;
  const allowed = `a duration such as 500ms, 3s, 15m, 12h or 7d, from ${limits.min} to ${limits.max}`;
  return setting({ about, allowed, fallback, secret: false }, (text) => {
    const value = readDuration(text);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  });
}

/** A number of bytes. */
export function size(fallback: string, about: string, limits: { min: string; max: string }) {
  const min = readSize(limits.min) ?? 0;
  const max = readSize(limits.max) ?? Number.POSITIVE_INFINITY;
  const allowed = `bytes, or a number with KiB, MiB or GiB, from ${limits.min} to ${limits.max}`;
  return setting({ about, allowed, fallback, secret: false }, (text) => {
    const value = readSize(text);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  });
}

/** A number of bytes that is worked out at the start where it is not set. */
export function optionalSize(about: string, limits: { min: string; max: string }) {
  const { min, max } = { min: readSize(limits.min) ?? 0, max: readSize(limits.max) ?? Infinity };
  const allowed = `bytes, or a number with KiB, MiB or GiB, from ${limits.min} to ${limits.max}`;
  return form(allowed, (text) => {
    const value = readSize(text);
    return value !== undefined && value >= min && value <= max ? value : undefined;
  })
    .optional()
    .register(settingInfo, { about, allowed, secret: false });
}

/** A whole number. */
export function count(
  fallback: number,
  about: string,
  { min, max }: { readonly min: number; readonly max: number },
) {
  const allowed = `a whole number from ${min} to ${max}`;
  return setting({ about, allowed, fallback: String(fallback), secret: false }, (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    return value >= min && value <= max ? value : undefined;
  });
}

/** true or false. */
export function flag(fallback: boolean, about: string) {
  const info = { about, allowed: "true or false", fallback: String(fallback), secret: false };
  return setting(info, (text) => (text === "true" ? true : text === "false" ? false : undefined));
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[], fallback: T, about: string) {
  const info = { about, allowed: `one of ${words.join(", ")}`, fallback, secret: false };
  return setting(info, (text) => words.find((word) => word === text));
}

/** A host and a port to listen on. */
export function listenAddress(fallback: string, about: string) {
  const allowed =
    "host:port, such as 127.0.0.1:8080, localhost:8080 or [::1]:8080; port 0 is any free one";
  return setting({ about, allowed, fallback, secret: false }, readListenAddress);
}

/** A host and a port that others reach; not set by default. */
export function peerAddress(about: string) {
  const info = { about, allowed: "host:port, such as 10.0.0.7:50051", secret: false };
  const address = form(info.allowed, (text) =>
    (readListenAddress(text)?.port ?? 0) === 0 ? undefined : text,
  );
  return address.optional().register(settingInfo, info);
}

/** Where the data is. */
export function storageAddress(fallback: string, about: string) {
  const allowed = "sqlite:<folder>, or a mongodb:// or mongodb+srv:// URL";
  return setting({ about, allowed, fallback, secret: true }, readStorageAddress);
}

/** An http or https address to which paths are added; read without a slash at its end. */
export function baseUrl(fallback: string, about: string) {
  const allowed = "an http:// or https:// URL without user, query and fragment";
  return setting({ about, allowed, fallback, secret: false }, (text) => {
    const url = readWebUrl(text);
    if (url === undefined || url.search !== "") return undefined;
    return text.replace(/\/+$/, "");
  });
}

/** Text on one line, with something in it. */
export function line(fallback: string, about: string) {
  const info = { about, allowed: "text on one line", fallback, secret: false };
  return setting(info, (text) => (/^\S(?:.*\S)?$/u.test(text) ? text : undefined));
}

/** An http or https address that is not set by default, kept to the letter. */
export function exactUrl(about: string) {
  const info = { about, allowed: "an http:// or https:// URL without user, query and fragment" };
  return form(info.allowed, (text) => (readWebUrl(text)?.search === "" ? text : undefined))
    .optional()
    .register(settingInfo, { ...info, secret: false });
}

/** Text that is not set by default. */
export function text(about: string) {
  return optionalText({ about, allowed: "text", secret: false });
}

/** The name of a tube; not set by default. */
export function tubeName(about: string) {
  const info = { about, allowed: "1 to 64 of A-Z a-z 0-9 _ . -", secret: false };
  const name = form(info.allowed, (text) =>
    /^[A-Za-z0-9_.-]{1,64}$/.test(text) ? text : undefined,
  );
  return name.optional().register(settingInfo, info);
}

/** Text that nobody may see and that is not set by default. */
export function secret(about: string) {
  return optionalText({ about, allowed: "text", secret: true });
}

/** One or several keys of 32 bytes, the first of which counts most; not set by default. */
export function secretKeys(about: string) {
  const allowed =
    "one key of 32 bytes in base64, base64url or hex, or several with commas between; `openssl rand -base64 32` makes one";
  const given = z.string({ error: (issue) => fault(issue.input, allowed) });
  return given
    .transform((text, context): readonly Uint8Array[] => {
      const keys = splitAtCommas(text).map(readKey);
      const wrong = keys.length === 0 ? 0 : keys.indexOf(undefined);
      if (wrong === -1) return keys.filter((key) => key !== undefined);
      // The text may be a key with one letter too many, so a fault must not show it.
      const message = `key ${wrong + 1} is not one of 32 bytes; allowed: ${allowed}`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    })
    .optional()
    .register(settingInfo, { about, allowed, secret: true });
}

/** Several words; none has a space or a comma in it. */
export function words(fallback: readonly string[], about: string) {
  const info = { about, allowed: "a list of words", fallback: fallback.join(","), secret: false };
  return list(info, "a word", (item) => (/^[^\s,]+$/.test(item) ? item : undefined));
}

/** Several http or https addresses, kept to the letter: they are compared like that. */
export function webUrls(about: string) {
  const info = {
    about,
    allowed: "a list of http:// or https:// URLs",
    fallback: "",
    secret: false,
  };
  return list(info, "an http:// or https:// URL without user and fragment", (item) =>
    readWebUrl(item) === undefined ? undefined : item,
  );
}

/** Several host names or addresses, without ports. */
export function hosts(about: string) {
  const info = {
    about,
    allowed: "a list of host names and addresses",
    fallback: "",
    secret: false,
  };
  return list(info, "a host name or an address, without scheme and port", (item) => {
    const address = /^\[(.+)\]$/.exec(item)?.[1] ?? item;
    return isIP(address) !== 0 || isHost(item) ? address.toLowerCase() : undefined;
  });
}

/** Several origins of web pages, as browsers write them; `*` is every one. */
export function webOrigins(about: string) {
  const info = {
    about,
    allowed: "a list of scheme://host or scheme://host:port, or *",
    fallback: "",
    secret: false,
  };
  const itemAllowed = "scheme://host or scheme://host:port, such as https://app.example.com, or *";
  return list(info, itemAllowed, readOrigin);
}

function setting<T>(
  info: SettingInfo & { fallback: string },
  read: (text: string) => T | undefined,
) {
  return form(info.allowed, read).prefault(info.fallback).register(settingInfo, info);
}

function optionalText(info: SettingInfo) {
  const given = z.string({ error: (issue) => fault(issue.input, info.allowed) });
  return given.optional().register(settingInfo, info);
}

function list<T>(
  info: SettingInfo & { fallback: string },
  itemAllowed: string,
  read: (text: string) => T | undefined,
) {
  const items = z.array(form(itemAllowed, read), {
    error: (issue) => fault(issue.input, info.allowed),
  });
  return z
    .preprocess((given) => (typeof given === "string" ? splitAtCommas(given) : given), items)
    .prefault(info.fallback)
    .register(settingInfo, info);
}

/** Text that `read` understands. If it returns undefined the fault shows the text. */
function form<T>(allowed: string, read: (text: string) => T | undefined) {
  const given = z.string({ error: (issue) => fault(issue.input, allowed) });
  return given.transform((text, context) => {
    const value = read(text);
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: fault(text, allowed) });
    return z.NEVER;
  });
}

function fault(found: unknown, allowed: string): string {
  return `found ${shown(found)}; allowed: ${allowed}`;
}

/**
 * A value as a fault shows it: short, on one line, without the password of a URL. A URL of MongoDB
 * may have secrets in its options too, and in a miswritten one nobody can tell the parts apart.
 */
function shown(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value !== "string") return "a mapping";
  const open = value
    .replace(/(mongodb(?:\+srv)?(?::\/\/)?).+$/is, "$1...")
    .replace(/^([^/]*:\/\/)?.*@/s, "$1...@");
  return JSON.stringify(open.length > LONGEST_SHOWN ? `${open.slice(0, LONGEST_SHOWN)}...` : open);
}

function splitAtCommas(text: string): string[] {
  const items = text.split(",").map((item) => item.trim());
  return items.filter((item) => item !== "");
}

function readDuration(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15})(ms|s|m|h|d)$/.exec(text) ?? [];
  return digits === undefined
    ? undefined
    : Number(digits) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
}

function readSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15})(|KiB|MiB|GiB)$/.exec(text) ?? [];
  return digits === undefined
    ? undefined
    : Number(digits) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
}

function readStorageAddress(text: string): StorageAddress | undefined {
  const folder = /^sqlite:(.+)$/.exec(text)?.[1];
  if (folder !== undefined) return { kind: "sqlite", folder };
  return isMongoUrl(text) ? { kind: "mongodb", url: text } : undefined;
}

function readListenAddress(text: string): ListenAddress | undefined {
  const match = /^(?:\[(?<ipv6>[^\]]+)\]|(?<name>[^[\]:]+)):(?<port>\d{1,5})$/.exec(text);
  const { ipv6, name, port } = match?.groups ?? {};
  if (Number(port) > 65_535) return undefined;
  if (ipv6 !== undefined && isIP(ipv6) === 6) return { host: ipv6, port: Number(port) };
  if (name !== undefined && isHost(name)) return { host: name, port: Number(port) };
  return undefined;
}

/** An IPv4 address or a host name. Digits and dots alone are never a name. */
function isHost(text: string): boolean {
  if (/^[\d.]+$/.test(text)) return isIP(text) === 4;
  return /^(?!-)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*$/.test(text);
}

/** Of http and https as browsers write it, without the port that goes without saying. */
function readOrigin(text: string): string | undefined {
  if (text === "*") return text;
  if (!/^[a-z][a-z\d+.-]*:\/\/(\[[\da-f:.]+\]|[^\s/?#@:[\]\\*]+)(:\d{1,5})?$/i.test(text))
    return undefined;
  const url = URL.parse(text);
  if (url === null) return undefined;
  return url.origin === "null" ? text.toLowerCase() : url.origin;
}

function readWebUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) return undefined;
  const hasUser = url.username !== "" || url.password !== "";
  return hasUser || url.hash !== "" || /\s/.test(text) ? undefined : url;
}
