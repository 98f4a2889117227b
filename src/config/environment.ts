import { nearest } from "../base/nearest-name.ts";
import {
  ANY_NAME,
  FILE_SUFFIX,
  type Given,
  type Group,
  listSettings,
  type Setting,
  type SourceContent,
  VARIABLE_PREFIX,
  variableName,
} from "./setting-tree.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variable that names the settings file. It belongs to the command line and is no setting. */
export const CONFIG_VARIABLE = "USHER_CONFIG";

/**
 * The variable that names the target of a move, since a command line would show its password. It is
 * no setting either.
 */
export const MOVE_TO_VARIABLE = "USHER_MOVE_TO";

/**
 * Kubernetes gives every container variables for each service of its namespace, and for a
 * service whose name begins with "usher" they look like ours: USHER_SERVICE_HOST,
 * USHER_PORT=tcp://10.0.0.1:50051, USHER_PORT_50051_TCP_ADDR.
 */
const kubernetesName =
  /_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const kubernetesPort = /_PORT=(tcp|udp|sctp):\/\//;

/** Reads the settings of `schema` from environment variables. An empty variable is not set. */
export function readEnvironment(schema: Group, environment: Environment): SourceContent {
  const settings = listSettings(schema);
  const given: Given[] = [];
  const faults: string[] = [];
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(VARIABLE_PREFIX) || !value || isForeign(variable, value)) continue;
    const match = matchVariable(settings, variable);
    if (match === undefined) {
      faults.push(`${variable}: no such setting${suggestion(settings, variable)}`);
    } else {
      given.push({ ...match, where: variable, value });
    }
  }
  return { given, faults };
}

function isForeign(variable: string, value: string): boolean {
  if (variable === CONFIG_VARIABLE || variable === MOVE_TO_VARIABLE) return true;
  if (kubernetesName.test(variable)) return true;
  return kubernetesPort.test(`${variable}=${value}`);
}

function matchVariable(settings: readonly Setting[], variable: string) {
  const matches = settings.flatMap((setting) => {
    const groups = variablePattern(setting).exec(variable)?.groups;
    if (groups === undefined) return [];
    const name = groups["name"]?.toLowerCase() ?? "";
    const path = setting.path.map((part) => (part === ANY_NAME ? name : part));
    return [{ name, match: { path, inFile: groups["file"] !== undefined } }];
  });
  // If a chosen name can be read in two ways the shorter one counts.
  return matches.sort((a, b) => a.name.length - b.name.length)[0]?.match;
}

function variablePattern({ path, info }: Setting): RegExp {
  const name = variableName(path).replace(ANY_NAME.toUpperCase(), "(?<name>[A-Z][A-Z0-9_]*?)");
  const file = info.secret ? FILE_SUFFIX.toUpperCase() : "(?!)";
  return new RegExp(`^(?:${name})(?<file>${file})?$`);
}

function suggestion(settings: readonly Setting[], variable: string): string {
  const known = settings.map((setting) => variableName(setting.path));
  const found = nearest(variable, [CONFIG_VARIABLE, ...known]);
  return found === undefined ? "" : `; did you mean ${found}?`;
}
