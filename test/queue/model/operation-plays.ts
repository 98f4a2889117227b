import type { Planned } from "./operations.ts";
import { crashBoth, type Play, quiet } from "./play.ts";

export function done(planned: Planned): Play {
  return async (reference, real) => {
    const operation = planned(reference);
    if (operation === undefined) return;
    reference.story.push(operation.said);
    operation.call(real);
    await quiet(real);
    operation.counted();
    operation.happened(true);
  };
}

export function refused(planned: Planned): Play {
  return async (reference, real) => {
    const operation = planned(reference);
    if (operation === undefined) return;
    reference.story.push(`while the store refuses: ${operation.said}`);
    real.store.refuseCommits();
    const answer = operation.call(real);
    await quiet(real);
    // What needs no commit is not refused.
    real.store.refuseCommits(0);
    operation.counted();
    if (!answer.unavailable) operation.happened(true);
  };
}

export function refusedTogether(planned: readonly Planned[]): Play {
  return async (reference, real) => {
    const operations = planned.map((each) => each(reference)).filter((each) => each !== undefined);
    const said = operations.map((operation) => operation.said).join(" + ");
    reference.story.push(`while the store refuses, together: ${said}`);
    real.store.refuseCommits();
    const answers = operations.map((operation) => operation.call(real));
    await quiet(real);
    real.store.refuseCommits(0);
    if (answers.every(({ unavailable }) => !unavailable)) {
      for (const operation of operations) {
        operation.counted();
        operation.happened(true);
      }
      return;
    }
    // Which of them were worth a call depends on those before, as if they had been kept.
    for (const { name, calls } of reference.tubes.values()) {
      Object.assign(calls, real.statistics(name).calls);
    }
  };
}

export function crashDuring(planned: Planned, kept: boolean): Play {
  return async (reference, real) => {
    const operation = planned(reference);
    if (operation === undefined) return;
    const commit = `a commit that was ${kept ? "" : "not "}kept`;
    reference.story.push(`killed after ${commit}: ${operation.said}`);
    if (kept) real.store.loseAnswers();
    else real.store.hold();
    operation.call(real);
    await real.idle();
    if (kept) operation.happened(false);
    await crashBoth(reference, real, 0);
  };
}

export function together(planned: readonly Planned[]): Play {
  return async (reference, real) => {
    const operations = planned.map((each) => each(reference)).filter((each) => each !== undefined);
    reference.story.push(`together: ${operations.map(({ said }) => said).join(" + ")}`);
    for (const operation of operations) operation.call(real);
    await quiet(real);
    for (const operation of operations) {
      operation.counted();
      operation.happened(true);
    }
  };
}
