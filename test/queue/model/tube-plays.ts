import assert from "node:assert/strict";
import type { TubeSettings } from "../../../src/queue/repository.ts";
import { fitSettings, type NewTubeCase, tubeNames } from "./arbitraries.ts";
import { tubeAt } from "./operations.ts";
import { observe, type Play } from "./play.ts";
import { ReferenceTube } from "./reference-tube.ts";

export function createTube(number: number, given: NewTubeCase): Play {
  return async (reference, real) => {
    const name = tubeNames[number] as string;
    const { kind, temporary, settings } = given;
    const { capacity, maxAttempts, dedupWindowMs } = settings;
    const untimed = { ...(capacity > 0 && { capacity }), maxAttempts, dedupWindowMs };
    const tube = new ReferenceTube(name, kind, temporary, settings);
    const asked = { name, kind, temporary, settings: tube.timed ? settings : untimed };
    const said = `${temporary ? "a temporary " : ""}${kind} ${saySettings(asked.settings)}`;
    reference.story.push(`make ${name}, ${said}`);
    const answer = await observe(real, real.engine.createTube(asked, false));
    if (reference.tubes.has(name)) {
      answer.refused("TUBE_ALREADY_EXISTS");
    } else {
      answer.value();
      reference.tubes.set(name, tube);
    }
  };
}

export function deleteTube(number: number, force: boolean): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    reference.story.push(`delete ${tube.name}${force ? " by force" : ""}`);
    const answer = await observe(real, real.engine.deleteTube(tube.name, force));
    if (!force && tube.inState("LEASED").length > 0) answer.refused("TUBE_IN_USE");
    else {
      answer.value();
      for (const waiting of [...tube.takers, ...tube.puts])
        waiting.answer.refused("TUBE_NOT_FOUND");
      for (const { session } of tube.takers) {
        if (session === undefined) continue;
        session.users--;
        reference.renew(session);
      }
      for (const task of tube.tasks) tube.remove(task);
      reference.tubes.delete(tube.name);
    }
  };
}

export function updateTube(number: number, given: TubeSettings): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    const fitting = fitSettings(tube.kind, given);
    const { maxAttempts, dedupWindowMs } = fitting;
    const changed = tube.timed ? fitting : { maxAttempts, dedupWindowMs };
    reference.story.push(`update ${tube.name} ${saySettings(changed)}`);
    const answer = await observe(real, real.engine.updateTube(tube.name, changed));
    tube.settings = { ...tube.settings, ...changed };
    assert.deepEqual(answer.value().settings, tube.settings);
  };
}

export function pause(number: number, forMs: number): Play {
  return async (reference, real) => {
    const tube = tubeAt(reference, number);
    if (tube === undefined) return;
    reference.story.push(forMs === 0 ? `resume ${tube.name}` : `pause ${tube.name} for ${forMs}`);
    tube.pausedUntil = forMs === 0 ? 0 : reference.now + forMs;
    const answer = await observe(real, real.engine.pauseTube(tube.name, forMs));
    assert.equal(answer.value().pausedUntil, tube.pausedUntil);
  };
}

function saySettings(given: Partial<TubeSettings>): string {
  return JSON.stringify(given, (_, value) => (value === Infinity ? "never" : value));
}
