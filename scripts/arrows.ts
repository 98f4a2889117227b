/**
 * Which room of src/ may import which: the arrows of ARCHITECTURE.md, checked. `npm run check` runs
 * this over the working tree; a folder given as the argument is checked instead.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { argv } from "node:process";

/** Packages that know how a message looks on the network. */
const NETWORK = ["gen", "@bufbuild/protobuf", "@connectrpc/connect"];

/**
 * A room is a folder or a file; of several that hold a file the longest path counts. What is listed
 * may be imported, with all that lies in it. A room's own files always may; packages of npm that
 * nobody lists may be imported by every room.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  base: [],
  logging: ["base"],
  wire: ["base", "@connectrpc/connect"],
  config: ["base"],

  "queue/repository.ts": ["base"],
  "queue/structures": ["base", "queue/repository.ts"],
  "queue/rules": ["base", "logging", "queue/repository.ts", "queue/structures"],
  "queue/engine.ts": ["base", "logging", "queue/repository.ts", "queue/structures", "queue/rules"],
  "queue/handlers": ["base", "logging", "wire", "queue", ...NETWORK],

  "auth/repository.ts": ["auth/repository"],
  "auth/repository": ["base"],
  "auth/rules": ["base", "auth/repository.ts"],
  auth: ["base", "logging", "config", "auth/repository.ts"],
  "auth/handlers": ["base", "logging", "wire", "auth", ...NETWORK],

  "cluster/registry.ts": [],
  cluster: ["base", "logging", "wire", "queue", ...NETWORK, "@connectrpc/connect-node"],

  storage: ["base", "logging", "queue/repository.ts", "auth/repository.ts", "cluster/registry.ts"],
  "storage/sqlite": [
    "base",
    "logging",
    "queue/repository.ts",
    "auth/repository.ts",
    "auth/rules",
    "storage",
    "node:sqlite",
  ],
  "storage/mongodb": [
    "base",
    "logging",
    "queue/repository.ts",
    "auth/repository.ts",
    "auth/rules",
    "cluster/registry.ts",
    "storage",
    "mongodb",
  ],

  server: [
    "base",
    "logging",
    "wire",
    "auth/handlers",
    ...NETWORK,
    "@connectrpc/connect-node",
    "@grpc/grpc-js",
  ],
  client: [...NETWORK, "@grpc/grpc-js"],
  move: ["base", "logging", "queue", "auth", "cluster", "storage"],
  app: [
    "base",
    "logging",
    "config",
    "queue",
    "auth",
    "cluster",
    "storage",
    "server",
    "gen",
    "@connectrpc/connect",
  ],
  "main.ts": ["cli"],
  cli: ["base", "logging", "config", "app", "move", "server", "storage", "package.json"],
};

const listed = new Set(Object.values(rooms).flat());
const roomNames = Object.keys(rooms).sort((a, b) => b.length - a.length);

/** Every import against the arrows, a line each. */
export function wrongImports(root: string): string[] {
  const faults: string[] = [];
  for (const file of typeScriptIn(join(root, "src"))) {
    const room = roomNames.find((name) => isIn(file, name));
    if (room === undefined) {
      faults.push(`src/${file} is in no room of scripts/arrows.ts`);
      continue;
    }
    const allowed = [room, ...(rooms[room] ?? [])];
    for (const target of importsOf(root, file)) {
      const isFree = !target.startsWith("src/") && !listed.has(target);
      const name = target.replace(/^src\//, "");
      if (isFree || allowed.some((each) => isIn(name, each))) continue;
      faults.push(`src/${file} imports ${target}, and ${room} may import ${allowed.join(", ")}`);
    }
  }
  return faults;
}

function isIn(path: string, room: string): boolean {
  return path === room || path.startsWith(`${room}/`);
}

/** Paths within a folder. */
function typeScriptIn(folder: string): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths.filter((path) => path.endsWith(".ts")).sort();
}

/** What a file of src/ imports: `src/...`, the first folder of another place, or a package. */
function importsOf(root: string, file: string): string[] {
  const text = readFileSync(join(root, "src", file), "utf8");
  const specifiers = [...text.matchAll(/\b(?:from|import\s*\(|import)\s*"([^"]+)"/g)];
  return specifiers.map(([, specifier = ""]) => {
    if (!specifier.startsWith(".")) return packageOf(specifier);
    const path = normalize(join("src", dirname(file), specifier));
    return path.startsWith("src/") ? path : (path.split("/")[0] as string);
  });
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

if (import.meta.main) {
  const faults = wrongImports(argv[2] ?? ".");
  for (const fault of faults) console.log(fault);
  if (faults.length > 0) process.exitCode = 1;
}
