/**
 * Writes everything that is generated: gen/ from proto/, docs/settings.md from src/config/config.ts.
 * Into the folder given as the argument, or in place.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { argv } from "node:process";
import { settings } from "../src/config/config.ts";
import { settingsPage } from "./settings-page.ts";

const target = argv[2] ?? ".";
execFileSync("buf", ["generate", "--output", target], { stdio: "inherit" });
mkdirSync(join(target, "docs"), { recursive: true });
writeFileSync(join(target, "docs", "settings.md"), settingsPage(settings));
