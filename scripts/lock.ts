/**
 * Writes package-lock.json for every platform (`npm run lock`, after a change of dependencies).
 *
 * npm leaves a platform's optional package out of the lock file where the registry in use does not
 * have it, as mirrors of some platforms alone do, and npm ci then refuses the file anywhere. What
 * is left out is named by the package that wants it, so it is added here, for npm to pass over
 * where it does not fit.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { copyFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

interface Entry {
  readonly version?: string;
  readonly dev?: boolean;
  readonly license?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

interface Lock {
  packages: Record<string, Entry>;
}

const systems = "aix android darwin freebsd linux netbsd openbsd openharmony sunos win32".split(
  " ",
);
const processors: Readonly<Record<string, string>> = {
  arm64: "arm64",
  aarch64: "arm64",
  x64: "x64",
  arm: "arm",
  armv7: "arm",
  ia32: "ia32",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  wasm32: "wasm32",
};

/** In a folder of its own: npm leaves more out where packages are installed already. */
async function freshLock(): Promise<Lock> {
  const folder = mkdtempSync(join(tmpdir(), "usher-lock-"));
  try {
    for (const file of ["package.json", ".npmrc"]) await copyFile(file, join(folder, file));
    const npm = spawnSync("npm", ["install", "--package-lock-only", "--ignore-scripts"], {
      cwd: folder,
      stdio: "inherit",
    });
    if (npm.status !== 0) throw new Error("npm install failed");
    return JSON.parse(readFileSync(join(folder, "package-lock.json"), "utf8")) as Lock;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The entries that are wanted and not there. */
function leftOut(packages: Lock["packages"]): [string, Entry][] {
  const found: [string, Entry][] = [];
  for (const [path, wanting] of Object.entries(packages)) {
    if (path === "") continue;
    for (const [name, version] of Object.entries(wanting.optionalDependencies ?? {})) {
      const there = [`node_modules/${name}`, `${path}/node_modules/${name}`];
      if (there.some((place) => place in packages)) continue;
      found.push([`node_modules/${name}`, platformEntry(name, version, wanting)]);
    }
  }
  return found;
}

/** Platform packages say in their names where they fit. */
function platformEntry(name: string, version: string, { dev, license }: Entry): Entry {
  const words = name.split(/[/_.-]/).map((word) => (word === "windows" ? "win32" : word));
  const cpu = words.map((word) => processors[word]).find((known) => known !== undefined);
  const os = words.find((word) => systems.includes(word));
  return {
    version,
    ...(cpu && { cpu: [cpu] }),
    ...(dev && { dev }),
    ...(license && { license }),
    ...{ optional: true },
    ...(os && { os: [os] }),
  };
}

const lock = await freshLock();
const added = leftOut(lock.packages);
const sorted = Object.entries(lock.packages)
  .concat(added)
  .sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries(sorted);
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(
  `package-lock.json: ${sorted.length} packages, ${added.length} added by name\n`,
);
