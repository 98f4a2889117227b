import type { ServiceImpl } from "@connectrpc/connect";
import type { QueueService } from "../../../gen/usher/queue/v1/queue_pb.ts";
import { invalid } from "../../base/errors.ts";
import { pageSize, pageToken, positiveDurationMs } from "../../base/request-fields.ts";
import type { QueueHandlerOptions } from "./options.ts";
import { pageStartName, tubeName } from "./request-fields.ts";
import {
  changedSettings,
  kindOf,
  newTube,
  statisticsMessage,
  tubeMessage,
} from "./tube-messages.ts";

type TubeHandlers = Pick<
  ServiceImpl<typeof QueueService>,
  | "createTube"
  | "getTube"
  | "listTubes"
  | "updateTube"
  | "deleteTube"
  | "truncateTube"
  | "pauseTube"
  | "resumeTube"
  | "getStatistics"
>;

export function tubeHandlers({ engine }: QueueHandlerOptions): TubeHandlers {
  return {
    async createTube(request) {
      const tube = await engine.createTube(newTube(request.tube), request.ifNotExists);
      return { tube: tubeMessage(tube) };
    },

    getTube(request) {
      return { tube: tubeMessage(engine.getTube(tubeName("tube", request.tube))) };
    },

    listTubes(request) {
      const size = pageSize("page_size", request.pageSize);
      const after = pageStartName("page_token", request.pageToken);
      const { tubes, more } = engine.listTubes(after, size);
      const last = tubes.at(-1);
      return {
        tubes: tubes.map(tubeMessage),
        nextPageToken: more && last ? pageToken(last.name) : "",
      };
    },

    async updateTube({ tube, updateMask }) {
      if (tube === undefined) throw invalid("tube", "is required");
      const name = tubeName("tube.name", tube.name);
      const changed = changedSettings(tube, updateMask);
      if (tube.kind !== 0 && kindOf("tube.kind", tube.kind) !== engine.getTube(name).kind) {
        throw invalid("tube.kind", "never changes");
      }
      return { tube: tubeMessage(await engine.updateTube(name, changed)) };
    },

    async deleteTube(request) {
      await engine.deleteTube(tubeName("tube", request.tube), request.force);
      return {};
    },

    async truncateTube(request) {
      return { count: BigInt(await engine.truncateTube(tubeName("tube", request.tube))) };
    },

    async pauseTube(request) {
      const name = tubeName("tube", request.tube);
      const durationMs = positiveDurationMs("duration", request.duration);
      return { tube: tubeMessage(await engine.pauseTube(name, durationMs ?? Infinity)) };
    },

    async resumeTube(request) {
      return { tube: tubeMessage(await engine.pauseTube(tubeName("tube", request.tube), 0)) };
    },

    getStatistics(request) {
      const size = pageSize("page_size", request.pageSize);
      const after = pageStartName("page_token", request.pageToken);
      if (request.tube !== "") {
        const one = engine.statistics(tubeName("tube", request.tube));
        return { tubes: [statisticsMessage(one)] };
      }
      const { statistics, more } = engine.listStatistics(after, size);
      const last = statistics.at(-1);
      return {
        tubes: statistics.map(statisticsMessage),
        nextPageToken: more && last ? pageToken(last.tube) : "",
      };
    },
  };
}
