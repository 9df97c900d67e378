/**
 * @module
 * name → function, from modules.ini. Functions run in the server's own isolate; `call` is the seam
 * behind which they can move elsewhere. A module that cannot be loaded, or a function that fails,
 * costs nobody else anything.
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import type { ModuleEntry } from "../config/modules.ts";
import { FunctionError, reasonOf } from "../errors.ts";

/** What a module exports as `entry_call`, `entryCall` or default. */
export type EntryCall = () => unknown;

/** Why a call brought no result. */
export type CallRefusal = "unknown function" | "function failed" | "function timed out";

/** A result as text, or why there is none; `error` is for the operator's log. */
export type CallResult =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly reason: CallRefusal; readonly error?: unknown };

/** A function that could not be loaded. */
export interface LoadFault {
  readonly functionName: string;
  readonly error: FunctionError;
}

/** How long a function may take. */
export const CALL_TIMEOUT_MS = 10_000;
/** Endings of a module's file, in the order in which they are looked for. */
const ENDINGS = [".ts", ".js", ".mjs"] as const;
const ENTRY_NAMES = ["entry_call", "entryCall", "default"] as const;

/** The functions that clients can call. */
export class FunctionRegistry {
  readonly #functions: ReadonlyMap<string, EntryCall>;
  readonly #timeoutMs: number;

  constructor(functions: ReadonlyMap<string, EntryCall>, timeoutMs = CALL_TIMEOUT_MS) {
    this.#functions = functions;
    this.#timeoutMs = timeoutMs;
  }

  /** Names of the functions, in the order of modules.ini. */
  get names(): string[] {
    return [...this.#functions.keys()];
  }

  /**
   * Calls a function. A string is the result as it is, anything else becomes JSON text (nothing at
   * all becomes `null`). Neither throws nor rejects; not a promise when the function is not async,
   * which saves a turn.
   */
  call(functionName: string): CallResult | Promise<CallResult> {
    const entry = this.#functions.get(functionName);
    if (entry === undefined) return { ok: false, reason: "unknown function" };
    try {
      const started = entry();
      return started instanceof Promise
        ? this.#finish(started)
        : { ok: true, text: toText(started) };
    } catch (error) {
      return { ok: false, reason: "function failed", error };
    }
  }

  async #finish(started: Promise<unknown>): Promise<CallResult> {
    try {
      const result = await this.#withinTime(started);
      if (result === TIMED_OUT) return { ok: false, reason: "function timed out" };
      return { ok: true, text: toText(result) };
    } catch (error) {
      return { ok: false, reason: "function failed", error };
    }
  }

  async #withinTime(started: Promise<unknown>): Promise<unknown> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise((resolve) => {
      timer = setTimeout(() => resolve(TIMED_OUT), this.#timeoutMs);
    });
    try {
      return await Promise.race([started, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const TIMED_OUT = Symbol("timed out");

function toText(result: unknown): string {
  if (typeof result === "string") return result;
  return JSON.stringify(result) ?? "null";
}

/**
 * Loads the modules of a folder. Each is loaded once, also when several functions come from it.
 *
 * @returns the functions that can be called and those that cannot, with the reason.
 */
export async function loadFunctions(
  folder: string,
  entries: readonly ModuleEntry[],
): Promise<{ functions: Map<string, EntryCall>; faults: LoadFault[] }> {
  const functions = new Map<string, EntryCall>();
  const faults: LoadFault[] = [];
  for (const { functionName, moduleName } of entries) {
    try {
      functions.set(functionName, await loadEntry(folder, moduleName, functionName));
    } catch (error) {
      if (!(error instanceof FunctionError)) throw error;
      faults.push({ functionName, error });
    }
  }
  return { functions, faults };
}

/** Whether a module of this name is in the folder, in whatever ending. */
export async function hasModule(folder: string, moduleName: string): Promise<boolean> {
  return (await findModule(folder, moduleName)) !== undefined;
}

async function loadEntry(
  folder: string,
  moduleName: string,
  functionName: string,
): Promise<EntryCall> {
  const fail = (state: string, detail: { cause?: unknown; hint?: string } = {}): never => {
    throw new FunctionError(`Cannot load function ${functionName}: ${state}`, detail);
  };
  const path = await findModule(folder, moduleName) ??
    fail(await describeMissing(folder, moduleName));
  let module: Record<string, unknown>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    if (path.endsWith(".ts") && !canLoadTypeScript()) {
      return fail(
        `${path} is TypeScript, which this executable (Deno ${Deno.version.deno}) cannot load`,
        {
          cause: error,
          hint: "write it as .js, or compile the server with Deno 2.8.2 or newer",
        },
      );
    }
    return fail(`${path} does not load: ${describeError(error)}`, { cause: error });
  }
  for (const name of ENTRY_NAMES) {
    const entry = module[name];
    if (typeof entry === "function") return () => entry();
  }
  return fail(`${path} exports no function entry_call`);
}

async function findModule(folder: string, moduleName: string): Promise<string | undefined> {
  for (const ending of ENDINGS) {
    const path = `${folder}/${moduleName}${ending}`;
    try {
      if ((await Deno.stat(path)).isFile) return path;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) continue;
      throw new FunctionError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
    }
  }
  return undefined;
}

async function describeMissing(folder: string, moduleName: string): Promise<string> {
  const missing = `there is no ${moduleName}${ENDINGS.join(", ")} in ${folder}`;
  const python = `${folder}/${moduleName}.py`;
  const isPython = await Deno.stat(python).then(() => true, () => false);
  return isPython
    ? `${missing} (${moduleName}.py is Python; write it anew in JavaScript)`
    : missing;
}

/** A compiled executable loads TypeScript from outside of itself since Deno 2.8.2. */
function canLoadTypeScript(): boolean {
  const [major = 0, minor = 0, patch = 0] = Deno.version.deno.split(".").map(Number);
  return !Deno.build.standalone || major > 2 ||
    (major === 2 && (minor > 8 || minor === 8 && patch >= 2));
}

/**
 * An error of a module as one line: its kind, its message, and where in the module it was thrown.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(describeError("no stack"), "no stack");
 * ```
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [firstLine = "", ...otherLines] = error.message.split("\n");
  const text = /^\w*Error: /.test(firstLine) ? firstLine : `${error.name}: ${firstLine}`;
  const places = [...otherLines, ...error.stack?.split("\n").slice(1) ?? []]
    .map((line) => /\bfile:\/\/\S+?:\d+:\d+/.exec(line)?.[0])
    .filter((place) => place !== undefined && !place.startsWith(import.meta.url));
  const [place] = places;
  return place === undefined || text.includes(place) ? text : `${text} (${place})`;
}
