/** One page written and fsynced, over and over, within a file that does not grow. */
import { fsyncSync, openSync, writeSync } from "node:fs";
import { Measured, options, type Phases } from "./measured.ts";

interface Options extends Phases {
  /** A new file on the disk that is asked about. */
  readonly file: string;
}

const PAGE = 4_096;
const PAGES = 256;

const given = options<Options>();
const measured = new Measured();
const file = openSync(given.file, "w");
const page = Buffer.alloc(PAGE, "x");
for (let index = 0; index < PAGES; index++) writeSync(file, page, 0, PAGE, index * PAGE);
fsyncSync(file);

async function write(): Promise<void> {
  for (let index = 0; measured.running; index++) {
    const startedAt = performance.now();
    writeSync(file, page, 0, PAGE, (index % PAGES) * PAGE);
    fsyncSync(file);
    measured.took(performance.now() - startedAt);
    measured.count(1);
    await new Promise(setImmediate);
  }
}

await Promise.all([measured.run(given), write()]);
measured.report();
