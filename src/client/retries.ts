import type { AuthService } from "../../gen/usher/auth/v1/auth_pb.ts";
import type { QueueService } from "../../gen/usher/queue/v1/queue_pb.ts";
import type { Retries } from "./calls.ts";

// Whether a repeat does no more than one call would have done, as "Retry" at each RPC in the proto
// says. Where the proto says "safe, but", the caller is to decide: false.

export const queueRetries: Retries<typeof QueueService> = {
  createTube: ({ ifNotExists }) => ifNotExists,
  getTube: true,
  listTubes: true,
  updateTube: true,
  deleteTube: true,
  truncateTube: false,
  pauseTube: true,
  resumeTube: true,
  getStatistics: true,
  put: ({ task }) => task !== undefined && task.dedupKey !== "",
  batchPut: ({ tasks }) => tasks.every(({ dedupKey }) => dedupKey !== ""),
  take: true,
  ack: true,
  release: true,
  bury: true,
  touch: false,
  batchAck: true,
  batchRelease: true,
  getTask: true,
  listTasks: true,
  kickTasks: false,
  deleteTask: true,
  buryTask: true,
  releaseAll: false,
  openSession: true,
  renewSession: true,
  closeSession: true,
};

export const authRetries: Retries<typeof AuthService> = {
  register: true,
  completeRegistration: true,
  getUser: true,
  listUsers: true,
  updateProfile: true,
  changePassword: false,
  requestPasswordReset: true,
  completePasswordReset: false,
  deactivateUser: true,
  activateUser: true,
  deleteUser: true,
  importUsers: true,
  signIn: false,
  checkSession: true,
  signOut: true,
  listSessions: true,
  revokeSessions: ({ sessionIds }) => sessionIds.length > 0,
  listAuditEvents: true,
  getSocialAuthUrl: true,
  socialAuth: false,
  linkSocialAccount: false,
  unlinkSocialAccount: true,
};
