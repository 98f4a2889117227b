import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { Packr, Unpackr } from "msgpackr";

const GREETING_BYTES = 128;
const FUNCTION_NAME = 0x22;
const TUPLE = 0x21;
const SYNC = 0x01;
const DATA = 0x30;
const ERROR = 0x31;
/** A uint32 as MessagePack has it: lengths, and the numbers that pair answers with calls. */
const UINT32 = 0xce;
/** `{ type: call, sync: <a uint32 follows> }`, the header of every call. */
const CALL_HEADER = [0x82, 0x00, 0x0a, 0x01, UINT32];
const LENGTH_BYTES = 5;
const HEAD_BYTES = LENGTH_BYTES + CALL_HEADER.length + 4;

const packr = new Packr({ useRecords: false, mapsAsObjects: false });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false });

type Body = Map<number, unknown>;

/** A call of a function, packed once to be sent any number of times. */
export function packCall(name: string, args: readonly unknown[]): Buffer {
  const body = new Map<number, unknown>([
    [FUNCTION_NAME, name],
    [TUPLE, args],
  ]);
  return Buffer.from(packr.pack(body));
}

/** Calls of functions on a Tarantool, any number at once on one connection. */
export class Iproto {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, { resolve(data: unknown): void; reject(e: Error): void }>();
  #sync = 0;
  #chunks: Buffer[] = [];
  #have = 0;
  #need = LENGTH_BYTES;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
  }

  static async open(port: number): Promise<Iproto> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    for (let greeting: Buffer | null = null; greeting === null; ) {
      await once(socket, "readable");
      greeting = socket.read(GREETING_BYTES);
    }
    return new Iproto(socket);
  }

  /** Resolves with what the function returns. */
  call(packed: Buffer): Promise<unknown> {
    const sync = ++this.#sync;
    const head = Buffer.alloc(HEAD_BYTES);
    head[0] = UINT32;
    head.writeUInt32BE(HEAD_BYTES - LENGTH_BYTES + packed.length, 1);
    head.set(CALL_HEADER, LENGTH_BYTES);
    head.writeUInt32BE(sync, HEAD_BYTES - 4);
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(packed);
    this.#socket.uncork();
    return new Promise((resolve, reject) => this.#waiting.set(sync, { resolve, reject }));
  }

  #read(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#have += chunk.length;
    if (this.#have < this.#need) return;
    const bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    let at = 0;
    this.#need = LENGTH_BYTES;
    while (bytes.length - at >= LENGTH_BYTES) {
      const end = at + LENGTH_BYTES + bytes.readUInt32BE(at + 1);
      if (end > bytes.length) {
        this.#need = end - at;
        break;
      }
      const [header, body] = unpackr.unpackMultiple(
        bytes.subarray(at + LENGTH_BYTES, end),
      ) as Body[];
      this.#answered(Number(header?.get(SYNC)), body ?? new Map());
      at = end;
    }
    this.#chunks = at === bytes.length ? [] : [bytes.subarray(at)];
    this.#have = bytes.length - at;
  }

  #answered(sync: number, body: Body): void {
    const waiting = this.#waiting.get(sync);
    this.#waiting.delete(sync);
    const error = body.get(ERROR);
    if (error !== undefined) waiting?.reject(new Error(String(error)));
    else waiting?.resolve(body.get(DATA));
  }
}
