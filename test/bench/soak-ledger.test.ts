import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type Delivery, Ledger } from "../../bench/soak/ledger.ts";

function delivery(key: string, id: bigint, fence = 1n, group?: string): Delivery {
  return { key, id, fence, group };
}

/** A ledger whose first task was put and answered. */
function withOne(): Ledger {
  const ledger = new Ledger("jobs");
  ledger.putSent("a");
  ledger.putAnswered("a", 1n);
  return ledger;
}

function faultsOf(ledger: Ledger): readonly string[] {
  ledger.finish();
  return ledger.faults.first;
}

function faults(ledger: Ledger, pattern: RegExp): void {
  const found = faultsOf(ledger);
  assert.equal(found.length, 1, found.join("\n"));
  assert.match(found[0] ?? "", pattern);
}

describe("the soak's ledger finds no fault", () => {
  test("in a task that is put, taken and acked", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n));
    ledger.ackSent(delivery("a", 1n));
    ledger.ackAnswered(delivery("a", 1n));
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a task that comes again because its worker died", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.delivered(delivery("a", 1n, 2n));
    ledger.ackSent(delivery("a", 1n, 2n));
    ledger.ackAnswered(delivery("a", 1n, 2n));
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a task that comes again because its ack was not answered", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.ackSent(delivery("a", 1n, 1n));
    ledger.delivered(delivery("a", 1n, 2n));
    ledger.ackSent(delivery("a", 1n, 2n));
    ledger.ackAnswered(delivery("a", 1n, 2n));
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a task whose ack has no answer, and that does not come again", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.ackSent(delivery("a", 1n, 1n));
    ledger.delivered(delivery("a", 1n, 2n));
    ledger.ackSent(delivery("a", 1n, 2n));
    ledger.ackRefused(delivery("a", 1n, 2n));
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a put without an answer, whether its task comes or not", () => {
    const ledger = new Ledger("jobs");
    ledger.putSent("a");
    ledger.putSent("b");
    ledger.delivered(delivery("b", 1n));
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a task that may have expired", () => {
    const ledger = new Ledger("jobs");
    ledger.putSent("a", true);
    ledger.putAnswered("a", 1n);
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a late message from before the ack", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 2n));
    ledger.ackSent(delivery("a", 1n, 2n));
    ledger.ackAnswered(delivery("a", 1n, 2n));
    ledger.delivered(delivery("a", 1n, 1n));
    assert.deepEqual(faultsOf(ledger), []);
  });

  test("in a group whose buried task is overtaken", () => {
    const ledger = new Ledger("jobs");
    for (const [key, id] of [
      ["a", 1n],
      ["b", 2n],
    ] as const) {
      ledger.putSent(key);
      ledger.putAnswered(key, id, "g");
    }
    ledger.delivered(delivery("a", 1n, 1n, "g"));
    ledger.steppingOut(delivery("a", 1n, 1n, "g"));
    ledger.delivered(delivery("b", 2n, 1n, "g"));
    ledger.ackSent(delivery("b", 2n, 1n, "g"));
    ledger.delivered(delivery("a", 1n, 2n, "g"));
    ledger.ackSent(delivery("a", 1n, 2n, "g"));
    assert.deepEqual(faultsOf(ledger), []);
  });
});

describe("the soak's ledger notices", () => {
  test("a lost task", () => {
    faults(withOne(), /jobs: a was put as 1 and is lost/);
  });

  test("a task that is lost after an ack of it was refused", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n));
    ledger.ackSent(delivery("a", 1n));
    ledger.ackRefused(delivery("a", 1n));
    faults(ledger, /a was put as 1 and is lost/);
  });

  test("a task that comes again after its ack was answered", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.ackSent(delivery("a", 1n, 1n));
    ledger.ackAnswered(delivery("a", 1n, 1n));
    ledger.delivered(delivery("a", 1n, 2n));
    faults(ledger, /a came again after its ack was answered: doubled/);
  });

  test("a task that is there under two ids", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n));
    ledger.ackSent(delivery("a", 1n));
    ledger.delivered(delivery("a", 2n, 2n));
    faults(ledger, /a is there as 1 and as 2: doubled/);
  });

  test("an id that is used again", () => {
    const ledger = withOne();
    ledger.ackSent(delivery("a", 1n));
    ledger.putSent("b", true);
    ledger.putAnswered("b", 1n);
    faults(ledger, /id 1 is a and b/);
  });

  test("two workers that hold one task", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.ackSent(delivery("a", 1n, 1n));
    faults(ledger, /two workers hold it/);
  });

  test("an ack that wins without the lease", () => {
    const ledger = withOne();
    ledger.delivered(delivery("a", 1n, 1n));
    ledger.delivered(delivery("a", 1n, 2n));
    ledger.ackSent(delivery("a", 1n, 1n));
    ledger.ackAnswered(delivery("a", 1n, 1n));
    faults(ledger, /acked by a worker that had lost its lease/);
  });

  test("a task of a put that was refused, or of none", () => {
    const ledger = new Ledger("jobs");
    ledger.putSent("a");
    ledger.putRefused("a");
    ledger.delivered(delivery("a", 1n));
    ledger.delivered(delivery("b", 2n));
    assert.deepEqual(faultsOf(ledger), [
      "jobs: a came, and its put was refused",
      "jobs: b came, and nobody put it",
    ]);
  });

  test("a task that comes before another one of its group", () => {
    const ledger = new Ledger("jobs");
    for (const [key, id] of [
      ["a", 1n],
      ["b", 2n],
    ] as const) {
      ledger.putSent(key);
      ledger.putAnswered(key, id, "g");
    }
    ledger.delivered(delivery("b", 2n, 1n, "g"));
    ledger.ackSent(delivery("b", 2n, 1n, "g"));
    ledger.ackSent(delivery("a", 1n, 1n, "g"));
    faults(ledger, /b \(2\) of g came before a \(1\)/);
  });
});
