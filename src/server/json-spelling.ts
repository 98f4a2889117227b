import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";

/** No request is nested as deep. */
export const DEEPEST = 20;

/** Of these JSON has values, not the message with its fields. */
export function isWellKnown({ typeName }: DescMessage): boolean {
  return typeName.startsWith("google.protobuf.");
}

/** How JSON spells what a field has, for who has sent something else. Undefined: nothing to say. */
export function expected(field: DescField, value: unknown): string | undefined {
  if (field.enum !== undefined) return enumSpelling(field.enum);
  if (field.message !== undefined) return messageSpelling(field.message, value);
  if (field.scalar === undefined) return undefined;
  if (field.scalar === ScalarType.BYTES) return bytesSpelling(field);
  // Text that is no valid Unicode is a string all the same.
  if (field.scalar === ScalarType.STRING && typeof value === "string") return undefined;
  return scalarSpellings[field.scalar];
}

/** The names of an enum's values without the prefix that they share: FIFO of TUBE_KIND_FIFO. */
export function shortNames({ values, sharedPrefix = "" }: DescEnum): Map<string, string> {
  return new Map(values.map(({ name }) => [name.slice(sharedPrefix.length), name]));
}

const INT32 = "must be a whole number from -2147483648 to 2147483647";
const UINT32 = "must be a whole number from 0 to 4294967295";
const LONG = 'past 9007199254740991 as a string, such as "9007199254740993"';
const INT64 = `must be a whole number, ${LONG}`;
const UINT64 = `must be a whole number from 0 on, ${LONG}`;
const NUMBER = "must be a number, such as 0.5";

const scalarSpellings: Readonly<Partial<Record<ScalarType, string>>> = {
  [ScalarType.STRING]: 'must be a string, such as "text"',
  [ScalarType.BOOL]: "must be true or false",
  [ScalarType.INT32]: INT32,
  [ScalarType.SINT32]: INT32,
  [ScalarType.SFIXED32]: INT32,
  [ScalarType.UINT32]: UINT32,
  [ScalarType.FIXED32]: UINT32,
  [ScalarType.INT64]: INT64,
  [ScalarType.SINT64]: INT64,
  [ScalarType.SFIXED64]: INT64,
  [ScalarType.UINT64]: UINT64,
  [ScalarType.FIXED64]: UINT64,
  [ScalarType.FLOAT]: NUMBER,
  [ScalarType.DOUBLE]: NUMBER,
};

function bytesSpelling({ oneof }: DescField): string {
  const text = oneof?.fields.find(({ scalar }) => scalar === ScalarType.STRING);
  const instead = text === undefined ? "" : `; or send text as it is in "${text.jsonName}"`;
  return `must be a string of base64, such as "aGVsbG8=" for hello${instead}`;
}

/** The value 0 stands for none, and not to set the field says the same. */
function enumSpelling(desc: DescEnum): string {
  const zero = desc.values.find(({ number }) => number === 0)?.name;
  const names = [...shortNames(desc)].filter(([, name]) => name !== zero);
  const [short, full] = names[0] ?? [];
  const also = short === full ? "" : ` (or in full, such as ${full})`;
  return `must be one of ${names.map(([name]) => name).join(", ")}${also}`;
}

function messageSpelling(message: DescMessage, value: unknown): string | undefined {
  switch (message.typeName) {
    case "google.protobuf.Duration": {
      const isSeconds = typeof value === "number" && value >= 0 && value < 1e9;
      return `a duration is a string of seconds, such as "${isSeconds ? value : 5}s"`;
    }
    case "google.protobuf.Timestamp":
      return 'a time is a string such as "2026-11-27T18:00:00Z"';
    case "google.protobuf.FieldMask":
      return 'must be a string of field names with commas between, such as "fieldOne,fieldTwo"';
    default:
      return isWellKnown(message) ? undefined : objectSpelling(message);
  }
}

function objectSpelling({ fields }: DescMessage): string {
  const text = fields.find(({ oneof, scalar }) => oneof && scalar === ScalarType.STRING);
  const example = text === undefined ? "" : `, such as {"${text.jsonName}":"hello"}`;
  const names = fields.map(({ jsonName }) => jsonName).join(", ");
  return `must be an object with the fields ${names}${example}`;
}
