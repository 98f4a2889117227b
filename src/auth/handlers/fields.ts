import { isIP } from "node:net";
import { invalid } from "../../base/errors.ts";
import { pageStart, pageToken, textOf } from "../../base/request-fields.ts";
import { parseEmail } from "../accounts/email.ts";
import type { AuthRepository, Email } from "../repository.ts";

const USER_ID = /^[A-Za-z0-9_.-]{1,64}$/;
const LONGEST_DEVICE = 512;
/** In bytes: more than any user agent sends. What is longer than LONGEST_DEVICE is cut. */
const LONGEST_DEVICE_TEXT = 16 * 1024;
/**
 * In bytes. Imported hashes may be of longer passwords than can be set today, but not of longer
 * ones than this.
 */
const LONGEST_PASSWORD = 4_096;
/** As google.protobuf.Timestamp has them. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;

/**
 * A text of a request, whole and without NUL, at most `maxBytes` of UTF-8.
 * Throws INVALID_PARAMS naming the field, as every function here does.
 */
export function textField(field: string, value: string, maxBytes: number): string {
  textOf(field, value, maxBytes);
  if (!value.isWellFormed()) throw invalid(field, "is not well-formed Unicode");
  if (value.includes("\0")) throw invalid(field, "must not contain NUL");
  return value;
}

/** A text that must be there. */
export function requiredField(field: string, value: string, maxBytes: number): string {
  if (value === "") throw invalid(field, "is required");
  return textField(field, value, maxBytes);
}

export function userIdField(field: string, value: string): string {
  if (value === "") throw invalid(field, "is required");
  if (!USER_ID.test(value)) throw invalid(field, "must be 1 to 64 of A-Z a-z 0-9 _ . -");
  return value;
}

/** A user's id, or nothing. */
export function optionalUserIdField(field: string, value: string): string {
  return value === "" ? value : userIdField(field, value);
}

export function emailField(field: string, value: string): Email {
  if (value === "") throw invalid(field, "is required");
  const email = parseEmail(value);
  if (email === undefined) throw invalid(field, "is not an email address");
  return email;
}

/** A password to check. It may be older than the rules for new ones. */
export function passwordField(field: string, value: string): string {
  return requiredField(field, value, LONGEST_PASSWORD);
}

/** A time in whole milliseconds; a part of one counts as one. */
export function timeField(
  field: string,
  value: { readonly seconds: bigint; readonly nanos: number } | undefined,
): number | undefined {
  if (value === undefined) return undefined;
  const { seconds, nanos } = value;
  const inRange = seconds >= FIRST_SECOND && seconds <= LAST_SECOND;
  if (!inRange || nanos < 0 || nanos > 999_999_999) {
    throw invalid(field, "is not a time from the year 1 to 9999");
  }
  return Number(seconds) * 1_000 + Math.ceil(nanos / 1e6);
}

/** A place in a list that is ordered by time, and by a number within a millisecond. */
interface TimedPlace {
  readonly time: number;
  readonly number: number;
}

/** The token of the next page of such a list. */
export function placeToken(time: number, number: number): string {
  return pageToken(`${time} ${number}`);
}

/** The place that a token names; undefined for an empty token. */
export function placeField(field: string, token: string): TimedPlace | undefined {
  const place = pageStart(field, token);
  if (place === undefined) return undefined;
  const [, time, number] = /^(-?\d{1,15}) (\d{1,15})$/.exec(String(place)) ?? [];
  if (number === undefined) throw invalid(field, "is not a token that a page has returned");
  return { time: Number(time), number: Number(number) };
}

/** A description of a device, cut to a length that lists can show. */
export function deviceField(field: string, value: string): string {
  const device = textField(field, value, LONGEST_DEVICE_TEXT);
  return [...device].slice(0, LONGEST_DEVICE).join("");
}

/** An IP address, v4 or v6, or nothing. */
export function addressField(field: string, value: string): string {
  if (value === "") return value;
  if (isIP(value) === 0 || value.includes("%")) {
    throw invalid(field, "must be an IP address without a port");
  }
  return value;
}

/** The user that a request names: by id or by email. */
type WireUserKey =
  | { readonly case: "userId" | "email"; readonly value: string }
  | { readonly case: undefined };

export function userKeyField(key: WireUserKey): Parameters<AuthRepository["findUser"]>[0] {
  switch (key.case) {
    case "userId":
      return { userId: userIdField("user_id", key.value) };
    case "email":
      return { emailKey: emailField("email", key.value).key };
    case undefined:
      throw invalid("user_id", "is required, or email is");
  }
}
