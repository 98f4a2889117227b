import { fileURLToPath } from "node:url";
import { Program } from "../run/process.ts";

export const NOTHING_DURABLE = "nothing";

/** A server of the bench's own to compare with: a library and nothing else. */
export interface Yardstick {
  readonly address: string;
  readonly pid: number;
}

/** Starts a program of bench/yardsticks/, which ends with the stack. */
export async function startYardstick(
  stack: AsyncDisposableStack,
  name: "grpc-echo" | "connect-echo",
): Promise<Yardstick> {
  const file = fileURLToPath(new URL(`../yardsticks/${name}.ts`, import.meta.url));
  const program = new Program(process.execPath, [file]);
  stack.defer(() => program.end());
  return { address: await program.said("listening"), pid: program.pid };
}
