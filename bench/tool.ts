/**
 * @module
 * The command line of the benchmarks and of the other tools in this folder: options, help, usage errors.
 */
import { parseArgs } from "node:util";

/** A tool of this folder. */
export interface Tool<Name extends string> {
  /** Task in deno.json. */
  readonly name: string;
  /** What it does: the first lines of its help. */
  readonly about: string;
  readonly options: Readonly<Record<Name, ToolOption>>;
}

/** An option of a tool. */
export interface ToolOption {
  /** Placeholder of the value; without, the option is a flag. */
  readonly value?: string;
  readonly meaning: string;
  /** Lowest whole number that is accepted; without, any text is. */
  readonly least?: number;
  readonly fallback?: number;
}

/** Values of options, by name; an option that was not given is `undefined`, a flag `"true"`. */
export type ToolValues<Name extends string> = Readonly<Record<Name, string | undefined>>;

/** Why a tool cannot do what it was asked for. */
export class ToolError extends Error {
  readonly hint: string | undefined;
  readonly exitStatus: 1 | 2;

  constructor(
    message: string,
    { hint, exitStatus = 1 }: { hint?: string; exitStatus?: 1 | 2 } = {},
  ) {
    super(message);
    this.hint = hint;
    this.exitStatus = exitStatus;
  }
}

/** What a command line asks for. */
export type ToolRequest<Name extends string> = { readonly help: string } | ToolArguments<Name>;

/** A command line that can be used. */
export interface ToolArguments<Name extends string> {
  readonly values: ToolValues<Name>;
  /** The value of an option that is a number, or its fallback. */
  readonly number: (name: Name) => number;
}

/**
 * Reads a command line.
 *
 * @throws {ToolError} when it cannot be used.
 */
export function parseTool<Name extends string>(
  tool: Tool<Name>,
  args: readonly string[],
): ToolRequest<Name> {
  if (args.includes("--help") || args.includes("-h")) return { help: toolHelp(tool) };
  const entries = Object.entries<ToolOption>(tool.options);
  const options = Object.fromEntries(entries.map(([name, { value }]) => {
    const type: "string" | "boolean" = value === undefined ? "boolean" : "string";
    return [name, { type }];
  }));
  let given: Record<string, string | boolean | undefined>;
  try {
    given = parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    throw wrongUsage(tool.name, error instanceof Error ? error.message : String(error));
  }
  const values: Record<string, string | undefined> = {};
  for (const [name, { least }] of entries) {
    const text = given[name] === undefined ? undefined : String(given[name]);
    values[name] = text;
    if (text === undefined || least === undefined) continue;
    if (!/^\d+$/.test(text) || Number(text) < least) {
      const expected = `a whole number, at least ${least}`;
      throw wrongUsage(tool.name, `--${name} ${text}: expected ${expected}`);
    }
  }
  const number = (name: Name): number => Number(values[name] ?? tool.options[name].fallback ?? NaN);
  return { values: values as ToolValues<Name>, number };
}

/** The help text of a tool. */
export function toolHelp<Name extends string>({ name, about, options }: Tool<Name>): string {
  const rows = Object.entries<ToolOption>(options).map(([option, { value, meaning, fallback }]) => {
    const left = value === undefined ? `--${option}` : `--${option} ${value}`;
    return [left, fallback === undefined ? meaning : `${meaning} (${fallback})`];
  });
  const width = Math.max(6, ...rows.map(([left = ""]) => left.length));
  const lines = [...rows, ["--help", "show this help"]].map(([left = "", right = ""]) =>
    `  ${left.padEnd(width)}  ${right}`
  );
  return `${about}\n\nUsage: deno task ${name} [OPTIONS]\n\n${lines.join("\n")}\n`;
}

function wrongUsage(task: string, state: string): ToolError {
  return new ToolError(state, { hint: `deno task ${task} --help`, exitStatus: 2 });
}

/** What must not outlive this process, also when a signal ends it. */
const leftovers = new Set<() => void>();

/** Has something removed when a signal ends this process. @returns what takes that back. */
export function removeOnSignal(remove: () => void): () => void {
  leftovers.add(remove);
  return () => void leftovers.delete(remove);
}

/** A folder that is removed at its disposal. */
export async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "msp-bench-" });
  const release = removeOnSignal(() => Deno.removeSync(path, { recursive: true }));
  const dispose = async (): Promise<void> => {
    await Deno.remove(path, { recursive: true });
    release();
  };
  return { path, [Symbol.asyncDispose]: dispose };
}

/** Runs a tool: reads its command line, prints help or an error, sets the exit status. */
export async function runTool<Name extends string>(
  tool: Tool<Name>,
  run: (request: ToolArguments<Name>) => Promise<void>,
): Promise<void> {
  for (const [signal, exitStatus] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => {
      for (const remove of [...leftovers].toReversed()) remove();
      Deno.exit(exitStatus);
    });
  }
  try {
    const request = parseTool(tool, Deno.args);
    if ("help" in request) say(request.help.trimEnd());
    else await run(request);
    Deno.exit(0);
  } catch (thrown) {
    // What a failure left behind may fail to go: the failure itself says more.
    const error = thrown instanceof SuppressedError ? thrown.suppressed : thrown;
    if (!(error instanceof ToolError)) throw error;
    const hint = error.hint === undefined ? "" : `\nhint: ${error.hint}`;
    // deno-lint-ignore no-console -- a tool of the command line
    console.error(`error: ${error.message}${hint}`);
    Deno.exit(error.exitStatus);
  }
}

/** Prints a line. */
export function say(text: string): void {
  // deno-lint-ignore no-console -- a tool of the command line
  console.log(text);
}
