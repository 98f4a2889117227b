import { once } from "node:events";
import { connect, type Socket } from "node:net";

/** A connection of a protocol of lines, each perhaps followed by a body, read one after the other. */
export class LineSocket {
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #wake: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
      this.#wake?.();
    });
    socket.on("close", () => this.#wake?.());
  }

  static async open(port: number): Promise<LineSocket> {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    await once(socket, "connect");
    return new LineSocket(socket);
  }

  write(bytes: Buffer | string): void {
    this.#socket.write(bytes);
  }

  /** The next line, without its end. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#bytes.indexOf("\r\n");
      if (end >= 0) {
        const line = this.#bytes.toString("latin1", 0, end);
        this.#bytes = this.#bytes.subarray(end + 2);
        return line;
      }
      await this.#more();
    }
  }

  /** Leaves out so many bytes. */
  async skip(count: number): Promise<void> {
    while (this.#bytes.length < count) await this.#more();
    this.#bytes = this.#bytes.subarray(count);
  }

  async #more(): Promise<void> {
    if (this.#socket.closed) throw new Error("the connection was closed");
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }
}
