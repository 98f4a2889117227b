/**
 * The entry. It imports nothing before it knows that this Node can run the rest, for an older one
 * would end in a stack trace of whichever import it fails at first.
 */
const MINIMUM_NODE_MAJOR = 26;

const { node } = process.versions;
if (Number.parseInt(node, 10) < MINIMUM_NODE_MAJOR) {
  process.stderr.write(`usher: needs Node ${MINIMUM_NODE_MAJOR} or later, and this is ${node}\n`);
  process.exit(1);
}
const { runCommandLine } = await import("./cli/command-line.ts");
process.exit(await runCommandLine(process.argv.slice(2)));
