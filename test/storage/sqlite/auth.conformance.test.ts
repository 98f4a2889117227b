import { createAuthRepository } from "../../../src/storage/sqlite/auth/repository.ts";
import { authSuite } from "../../conformance/auth/suite.ts";
import { runOnSqlite } from "./conformance.ts";

runOnSqlite("AuthRepository", authSuite, createAuthRepository);
