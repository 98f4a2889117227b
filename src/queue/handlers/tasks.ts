import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import { invalid } from "../../base/errors.ts";
import { durationMs, pageSize, pageToken, positiveDurationMs } from "../../base/request-fields.ts";
import { onAnswerLost } from "../../wire/lost-answer.ts";
import { MAX_BATCH } from "../rules/limits.ts";
import type { QueueHandlerOptions } from "./options.ts";
import {
  batch,
  countUpTo,
  leaseToken,
  newTask,
  pageStartId,
  reasonText,
  sessionId,
  stateFilter,
  taskId,
  tubeName,
} from "./request-fields.ts";
import { failureMessage, taskMessage } from "./task-answers.ts";

type TaskHandlers = Pick<
  ServiceImpl<typeof QueueService>,
  | "put"
  | "batchPut"
  | "take"
  | "ack"
  | "release"
  | "bury"
  | "touch"
  | "batchAck"
  | "batchRelease"
  | "getTask"
  | "listTasks"
  | "kickTasks"
  | "deleteTask"
  | "buryTask"
  | "releaseAll"
>;

export function taskHandlers({ engine, maxTaskBytes }: QueueHandlerOptions): TaskHandlers {
  return {
    async put(request, context) {
      const tube = tubeName("tube", request.tube);
      const task = newTask("task", request.task, maxTaskBytes);
      const waitMs = durationMs("wait", request.wait) ?? 0;
      const signal = signalFor(waitMs, context);
      const outcome = await engine.put(tube, [task], { waitMs, signal, field: () => "task" });
      const { ids, duplicates, task: put } = outcome;
      return {
        task: put === undefined ? { tube, id: BigInt(ids[0] as number) } : taskMessage(put),
        duplicate: duplicates.length > 0,
      };
    },

    async batchPut(request, context) {
      const tube = tubeName("tube", request.tube);
      const tasks = batch("tasks", request.tasks).map((task, index) =>
        newTask(`tasks[${index}]`, task, maxTaskBytes),
      );
      const waitMs = durationMs("wait", request.wait) ?? 0;
      const signal = signalFor(waitMs, context);
      const field = (index: number): string => `tasks[${index}]`;
      const { ids, duplicates } = await engine.put(tube, tasks, { waitMs, signal, field });
      return { ids: ids.map(BigInt), duplicates };
    },

    async take(request, context) {
      const waitMs = durationMs("wait", request.wait) ?? 0;
      const tasks = await engine.take(tubeName("tube", request.tube), {
        maxTasks: countUpTo("max_tasks", request.maxTasks, MAX_BATCH, 1),
        waitMs,
        session: sessionId("session", request.session),
        signal: signalFor(waitMs, context),
      });
      if (tasks.length > 0) context.values.set(onAnswerLost, () => engine.giveBack(tasks));
      return { tasks: tasks.map(taskMessage) };
    },

    async ack(request) {
      const lease = leaseToken("lease", request.lease);
      return { task: taskMessage(await engine.settle({ kind: "ack", lease })) };
    },

    async release(request) {
      const lease = leaseToken("lease", request.lease);
      const delayMs = durationMs("delay", request.delay);
      const reason = reasonText("reason", request.reason);
      return {
        task: taskMessage(await engine.settle({ kind: "release", lease, delayMs, reason })),
      };
    },

    async bury(request) {
      const lease = leaseToken("lease", request.lease);
      const reason = reasonText("reason", request.reason);
      return { task: taskMessage(await engine.settle({ kind: "bury", lease, reason })) };
    },

    async touch(request) {
      const lease = leaseToken("lease", request.lease);
      const extendMs = positiveDurationMs("extend", request.extend);
      if (extendMs === undefined) throw invalid("extend", "is required");
      return { task: taskMessage(await engine.settle({ kind: "touch", lease, extendMs })) };
    },

    async batchAck(request) {
      const leases = batch("leases", request.leases);
      const failures = await engine.settleAll(leases.map((lease) => ({ kind: "ack", lease })));
      return { failures: failures.map(failureMessage) };
    },

    async batchRelease(request) {
      const leases = batch("leases", request.leases);
      const delayMs = durationMs("delay", request.delay);
      const reason = reasonText("reason", request.reason);
      const failures = await engine.settleAll(
        leases.map((lease) => ({ kind: "release", lease, delayMs, reason })),
      );
      return { failures: failures.map(failureMessage) };
    },

    async getTask(request) {
      const tube = tubeName("tube", request.tube);
      return { task: taskMessage(await engine.getTask(tube, taskId("id", request.id))) };
    },

    async listTasks(request) {
      const size = pageSize("page_size", request.pageSize);
      const after = pageStartId("page_token", request.pageToken);
      const page = await engine.listTasks(
        tubeName("tube", request.tube),
        stateFilter("state", request.state),
        after,
        size,
      );
      return {
        tasks: page.tasks.map(taskMessage),
        nextPageToken: page.after === undefined ? "" : pageToken(page.after),
      };
    },

    async kickTasks(request) {
      const tube = tubeName("tube", request.tube);
      if (request.count === 0) throw invalid("count", "must be at least 1");
      return { count: await engine.kickTasks(tube, request.count) };
    },

    async deleteTask(request) {
      const tube = tubeName("tube", request.tube);
      return { task: taskMessage(await engine.deleteTask(tube, taskId("id", request.id))) };
    },

    async buryTask(request) {
      const tube = tubeName("tube", request.tube);
      const id = taskId("id", request.id);
      const reason = reasonText("reason", request.reason);
      return { task: taskMessage(await engine.buryTask(tube, id, reason)) };
    },

    async releaseAll(request) {
      return { count: BigInt(await engine.releaseAll(tubeName("tube", request.tube))) };
    },
  };
}

/** Only a call that may wait needs to hear that its caller has gone. */
function signalFor(waitMs: number, context: HandlerContext): AbortSignal | undefined {
  return waitMs > 0 ? context.signal : undefined;
}
