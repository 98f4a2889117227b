import type { SequenceDocument } from "./schema.ts";
import type { AuthReader } from "./transactions.ts";

/** Takes the next `count` numbers of a sequence and returns the first of them. A sequence begins at 1. */
export async function takeNumbers(
  { in: { counters }, options }: AuthReader,
  name: SequenceDocument["_id"],
  count: number,
): Promise<number> {
  const counter = await counters.findOneAndUpdate(
    { _id: name },
    { $inc: { last: count } },
    { ...options, upsert: true, returnDocument: "after" },
  );
  if (counter === null) throw new Error("a counter that was just made is not there");
  return counter.last - count + 1;
}
