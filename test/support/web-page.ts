import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { stripTypeScriptTypes } from "node:module";
import type { AddressInfo } from "node:net";
import { join, relative } from "node:path";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** What the modules of the page import by name, from those that `npm ci` has installed. */
const packages = [
  "@bufbuild/protobuf",
  "@bufbuild/protobuf/codegenv2",
  "@bufbuild/protobuf/wire",
  "@bufbuild/protobuf/wkt",
  "@connectrpc/connect",
  "@connectrpc/connect/protocol",
  "@connectrpc/connect/protocol-connect",
  "@connectrpc/connect/protocol-grpc",
  "@connectrpc/connect/protocol-grpc-web",
  "@connectrpc/connect-web",
];

/**
 * Serves a web page with what the TypeScript module `path` (from the root) exports as `window.tools`.
 * There is no bundler: the browser gets each module by itself, without its types. Returns the page's
 * origin, which is of a port of its own.
 */
export async function servePageWith(t: TestContext, path: string): Promise<string> {
  const imports = Object.fromEntries(
    packages.map((name) => [name, `/${relative(ROOT, fileURLToPath(import.meta.resolve(name)))}`]),
  );
  const page = `<!doctype html><script type="importmap">${JSON.stringify({ imports })}</script>
    <script type="module">window.tools = await import("/${path}");</script>`;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost");
    if (pathname === "/") {
      response.setHeader("content-type", "text/html").end(page);
      return;
    }
    try {
      const source = readFileSync(join(ROOT, pathname), "utf8");
      response.setHeader("content-type", "text/javascript");
      response.end(pathname.endsWith(".ts") ? stripTypeScriptTypes(source) : source);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://localhost:${(server.address() as AddressInfo).port}`;
}
