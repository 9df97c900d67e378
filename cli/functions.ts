/**
 * @module
 * `msp functions`: loads each function as the server would, and lists what it found; or calls one.
 */
import { toText } from "../lib/functions/wire/bytes.ts";
import { rememberPermissions } from "../lib/config/permissions.ts";
import { readSettings } from "../lib/config/settings.ts";
import { FunctionError } from "../lib/errors.ts";
import { describeFunctions, type FunctionReport, runFunction } from "../lib/functions/report.ts";
import type { FunctionSources } from "../lib/functions/sources.ts";
import type { CallResult } from "../lib/functions/types.ts";
import { describeWall } from "../lib/functions/wall/choice.ts";
import { showLog } from "../lib/log.ts";
import { REFUSALS } from "../lib/refusals.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts, Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { existingPaths, FUNCTION_FLAGS } from "./paths.ts";
import { oneLine } from "./render.ts";
import { membersOf } from "./schema_types.ts";
import { suggestion } from "../lib/suggest.ts";

const TEXTS = {
  name: "functions",
  summary: "load functions, list what they may do, or call one",
  args: [],
  flags: {
    json: { meaning: "print an array of objects, with the JSON Schema of the arguments" },
    run: { value: "NAME", meaning: "call this function, without a server and a client" },
    params: { value: "JSON", meaning: "arguments for --run, a JSON object" },
    ...FUNCTION_FLAGS,
  },
  description:
    `Loads each function as the server would, without serving it: modules run their code, behind the ` +
    `same wall and as the same user. Each granted path is tried: read, and for Write, a file is ` +
    `created in it and removed. The exit status is 1 when a function is broken or cannot use a path.

With --run, only that function is loaded and called. Standard output is the result alone, standard ` +
    `error has what the function logs. The exit status is 1 when the call fails.`,
  example: "msp functions --run time_test",
} as const satisfies CommandTexts;

/** The command. */
export const functions = defineCommand({
  ...TEXTS,
  async run({ flags }, io): Promise<number> {
    checkFlags(flags);
    const paths = await existingPaths(flags, io);
    const { settings } = await readSettings(paths.config, { env: io.env });
    const sources = { ...paths, settings, isHeld: rememberPermissions() };
    return flags.run === undefined
      ? await list(sources, flags.json, io)
      : await runOne(sources, { name: flags.run, params: flags.params }, io);
  },
});

function checkFlags(
  { run, params, json }: { run: string | undefined; params: string | undefined; json: boolean },
): void {
  if (run !== undefined && json) throw wrongUsage(TEXTS, "--json is for the list, not for --run");
  if (params === undefined) return;
  if (run === undefined) throw wrongUsage(TEXTS, "--params is for --run");
  try {
    const value: unknown = JSON.parse(params);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  } catch {
    // The message is the same.
  }
  throw wrongUsage(
    TEXTS,
    `--params ${JSON.stringify(params.slice(0, 80))}, expected a JSON object`,
  );
}

async function list(sources: FunctionSources, isJson: boolean, io: Io): Promise<number> {
  const { reports, warnings, wall } = await describeFunctions(sources);
  if (isJson) io.out(`${JSON.stringify(reports, null, 2)}\n`);
  else {
    for (const warning of warnings) io.out(`warning: ${oneLine(warning)}\n`);
    if (reports.length === 0) io.out("No functions\n");
    else io.out(`${describeWall(wall)}\n\n${reports.map(asText).join("\n")}`);
  }
  return reports.some(({ state, unusable }) => state === "broken" || unusable !== undefined)
    ? 1
    : 0;
}

async function runOne(
  sources: FunctionSources,
  { name, params }: { readonly name: string; readonly params: string | undefined },
  io: Io,
): Promise<number> {
  await showLog();
  const run = await runFunction(sources, { name, params });
  if ("names" in run) throw unknownFunction(sources.modulesConfig, name, run.names);
  const { result } = run;
  if (!result.ok) throw new FunctionError(`Cannot run ${name}: ${describeFailure(result)}`);
  io.out(`${toText(result.bytes)}\n`);
  return 0;
}

function unknownFunction(path: string, name: string, names: readonly string[]): FunctionError {
  const meant = suggestion(name, names);
  return new FunctionError(`Cannot run ${name}: ${path} names no such function`, {
    hint: meant === undefined ? "msp functions lists them" : `did you mean ${meant}?`,
  });
}

function describeFailure(failed: Exclude<CallResult, { ok: true }>): string {
  const { code, detail, data, messageData } = failed;
  const path = code === "function_params" && data?.path ? ` at ${data.path}` : "";
  const more = messageData === undefined ? "" : `; data ${messageData}`;
  return detail === undefined ? REFUSALS[code] : `${REFUSALS[code]}${path}: ${detail}${more}`;
}

function asText(report: FunctionReport): string {
  const { name, module, state, fault, permissions, limits, unusable = [], unset = [] } = report;
  const granted = Object.entries(permissions)
    .filter(([, values]) => values.length > 0)
    .map(([kind, values]) => `${kind} ${values.join(", ")}`);
  const hints = Object.entries(report.annotations ?? {}).filter(([, is]) => is).map(([hint]) =>
    hint
  );
  const rows = [
    ...report.title === undefined ? [] : [["title", report.title]],
    ...report.description === undefined ? [] : [["about", firstLine(report.description)]],
    ...report.params === undefined ? [] : [["params", describeParams(report.params)]],
    ...hints.length === 0 ? [] : [["hints", hints.join(", ")]],
    ...module === undefined ? [] : [["module", module], ["may", granted.join("; ") || "nothing"]],
    ...limits === undefined ? [] : [["limits", limitsText(limits)]],
  ];
  const notes = [
    ...fault === undefined ? [] : [fault],
    ...unusable,
    ...unset.map((variable) => `the variable ${variable} has no value here`),
  ];
  const lines = rows.map(([key = "", value = ""]) => `  ${key.padEnd(8)}${oneLine(value)}\n`);
  const noted = notes.map((note) => `  ${oneLine(note)}\n`);
  return `${name}: ${state}\n${noted.join("")}${lines.join("")}`;
}

/** By the names of the options in modules.ini. */
function limitsText(limits: NonNullable<FunctionReport["limits"]>): string {
  const { timeoutSeconds, instances, queue, maxResultBytes, maxParamsBytes, process } = limits;
  const options = {
    Timeout: `${timeoutSeconds} s`,
    Instances: instances,
    Queue: queue,
    MaxResult: maxResultBytes,
    MaxParams: maxParamsBytes,
    Process: process,
  };
  return Object.entries(options).map((pair) => pair.join(" ")).join(", ");
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** Names and types of a function's arguments; `?` where one may be left out. */
function describeParams(schema: unknown): string {
  const members = membersOf(schema).map(({ name, schema: member, isRequired }) => {
    const { type } = Object(member) as { type?: unknown };
    const types = type === undefined ? "" : `: ${[type].flat().join(" | ")}`;
    return `${name}${isRequired ? "" : "?"}${types}`;
  });
  return members.join(", ") || "an object";
}
