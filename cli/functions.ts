/**
 * @module
 * `msp functions`: loads each function as the server would, and lists what it found.
 */
import { rememberPermissions } from "../lib/config/permissions.ts";
import { readSettings } from "../lib/config/settings.ts";
import { describeFunctions, type FunctionReport } from "../lib/functions/service.ts";
import { describeWall } from "../lib/functions/wall/choice.ts";
import { defineCommand } from "./define.ts";
import { existingPaths, FUNCTION_FLAGS } from "./paths.ts";

/** The command. */
export const functions = defineCommand({
  name: "functions",
  summary: "load every function, list permissions, limits and state",
  args: [],
  flags: {
    json: { meaning: "print an array of objects, with the JSON Schema of the arguments" },
    ...FUNCTION_FLAGS,
  },
  description:
    `Loads each function as the server would, without serving it: modules run their code. The ` +
    `exit status is 1 when one is broken.`,
  example: "msp functions",
  async run({ flags }, io): Promise<number> {
    const paths = await existingPaths(flags, io);
    const { settings } = await readSettings(paths.config, { env: io.env });
    const isHeld = rememberPermissions();
    const { reports, warnings, wall } = await describeFunctions({ ...paths, settings, isHeld });
    if (flags.json) io.out(`${JSON.stringify(reports, null, 2)}\n`);
    else {
      for (const warning of warnings) io.out(`warning: ${warning}\n`);
      if (reports.length === 0) io.out("No functions\n");
      else io.out(`${describeWall(wall)}\n\n${reports.map(asText).join("\n")}`);
    }
    return reports.some(({ state }) => state === "broken") ? 1 : 0;
  },
});

function asText(report: FunctionReport): string {
  const { name, module, state, fault, permissions, limits } = report;
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
    ["module", module ?? "none"],
    ["may", granted.join("; ") || "nothing"],
    ["limits", Object.entries(limits ?? {}).map((pair) => pair.join(" ")).join(", ") || "none"],
  ];
  const lines = rows.map(([key = "", value]) => `  ${key.padEnd(8)}${value}\n`);
  return `${name}: ${state}\n${fault === undefined ? "" : `  ${fault}\n`}${lines.join("")}`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** Names and types of a function's arguments; `?` where one may be left out. */
function describeParams(schema: unknown): string {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, { type?: string | string[] }>;
    required?: string[];
  };
  const members = Object.entries(properties).map(([name, { type }]) => {
    const mark = required.includes(name) ? "" : "?";
    return `${name}${mark}${type === undefined ? "" : `: ${[type].flat().join(" | ")}`}`;
  });
  return members.join(", ") || "an object";
}
