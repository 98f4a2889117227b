import {
  type Group,
  listSettings,
  type Setting,
  variableName,
} from "../src/config/setting-tree.ts";
import type { SettingInfo } from "../src/config/setting-types.ts";

const INTRODUCTION = `<!-- Written by \`npm run generate\` from src/config/config.ts. Edits here are lost. -->

# Settings

Every setting has a default; Usher starts without any. A setting comes from, the later winning:

1. its default,
2. the YAML file that \`--config FILE\` or the variable \`USHER_CONFIG\` names,
3. its environment variable.

\`\`\`yaml
log_level: debug
queue:
  max_task_size: 2MiB
auth:
  facebook:
    client_id: 1234567890
    client_secret_file: /run/secrets/facebook
    redirect_uris:
      - https://www.example.com/signed-in
\`\`\`

\`\`\`sh
USHER_LOG_LEVEL=debug USHER_QUEUE_MAX_TASK_SIZE=2MiB npm start
\`\`\`

- A duration is a whole number with a unit: \`500ms\`, \`3s\`, \`15m\`, \`12h\`, \`7d\`.
- A size is a number of bytes, or a whole number with a unit: \`512KiB\`, \`1MiB\`, \`2GiB\`.
- A list is a YAML list, or text with commas between the items.
- What is empty counts as not set.
- A secret can also be read from a file: add \`_file\` to its name (\`_FILE\` to its variable) and
  give the file's name. Space around what the file holds is dropped.
- A setting that does not exist or has a wrong value stops the start, with one line for each that
  names the setting, what was found (never a secret) and what is allowed.
`;

/** The page that tells users of every setting of `schema`, as Markdown. */
export function settingsPage(schema: Group): string {
  const sections = Map.groupBy(listSettings(schema), ({ path }) => path.slice(0, -1).join("."));
  const parts = [...sections].map(
    ([group, settings]) => `## ${group === "" ? "Server" : group}\n\n${table(settings)}`,
  );
  return [INTRODUCTION, ...parts].join("\n");
}

function table(settings: readonly Setting[]): string {
  const rows = settings.map(({ path, info }) => {
    const names = `\`${path.join(".")}\`<br>\`${variableName(path)}\``;
    return `| ${names} | ${defaultOf(info)} | ${info.about} ${sentence(info)} |\n`;
  });
  return `| setting and variable | default | what it does |\n|---|---|---|\n${rows.join("")}`;
}

function defaultOf(info: SettingInfo): string {
  return info.fallback ? `\`${info.fallback}\`` : "not set";
}

function sentence(info: SettingInfo): string {
  const allowed = info.allowed.replaceAll("<", "&lt;");
  return `Allowed: ${allowed}${info.secret ? " (a secret)" : ""}.`;
}
