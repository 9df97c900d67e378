/**
 * @module
 * One function: takes over the isolate in which it runs, loads the module, takes calls, gives results as
 * text. What runs here is as trustworthy as the module: nothing that matters to others rests on this
 * file.
 */
import { aboutOf, type FunctionAbout } from "../wire/about.ts";
import { describeError } from "../describe_error.ts";
import { FRAME, readCalls, readNumber } from "../wire/frames.ts";
import type { LoadFailure, ModuleLoad, OutputLevel } from "../wire/messages.ts";
import type { EntryCall, FunctionLog } from "../types.ts";
import { captureOutput, forbidExit, FunctionOutput } from "./output.ts";
import type { ParamsCheck } from "./params.ts";
import { inPlainWords } from "./plain_words.ts";
import { PublicError } from "./public_error.ts";
import { type Reply, Runner } from "./runner.ts";
import { unusablePaths } from "./try_paths.ts";

/** The source of a class, which cannot be called. */
const CLASS = /^class\b/;
const toText = Function.prototype.toString;
const ENTRY_NAMES = ["entry_call", "entryCall", "default"] as const;

/** Who is told, and where results go. */
export interface ModuleEvents {
  loaded(about: FunctionAbout): void;
  /** @param why completes "modules/x.js …" */
  failed(kind: LoadFailure, why: string): void;
  output(level: OutputLevel, text: string): void;
  /** Lines of output beyond the limit. */
  leftOut(count: number): void;
  readonly reply: Reply;
}

/** The module of a function, in an isolate that nothing else uses. */
export class HostedModule {
  readonly #what: ModuleLoad;
  readonly #events: ModuleEvents;
  readonly #output: FunctionOutput;
  #runner: Runner | undefined;

  /** Takes what the isolate prints, its uncaught errors, and its ways to end itself. */
  constructor(what: ModuleLoad, events: ModuleEvents) {
    this.#what = what;
    this.#events = events;
    this.#output = new FunctionOutput({
      write: (level, text) => events.output(level, inPlainWords(text, what.functionName)),
      leftOut: (count) => events.leftOut(count),
    });
    this.#takeErrors();
    captureOutput((level, text) => this.#output.line(level, text));
    forbidExit();
    globalThis.PublicError = PublicError;
  }

  /** Loads it; never rejects. */
  async load(): Promise<void> {
    const { tries, functionName, maxResultBytes } = this.#what;
    const unusable = tries === undefined ? [] : unusablePaths(tries);
    const module = await this.#import();
    if (module === undefined) return;
    const entry = ENTRY_NAMES.map((name) => module[name])
      .find((each) => typeof each === "function") as EntryCall | undefined;
    if (entry === undefined) return this.#fail("exports no function entry_call");
    if (CLASS.test(toText.call(entry))) return this.#fail("exports a class, not a function");
    const { about, fault: aboutFault } = aboutOf(module);
    const { check, fault = aboutFault } = await checkOf(about);
    if (fault !== undefined) {
      return this.#fail(`exports params that are not a JSON Schema for an object: ${fault}`);
    }
    this.#runner = new Runner({
      functionName,
      maxResultBytes,
      entry,
      paramsCheck: check,
      log: this.#log(),
      describe: (error) => this.#describe(error),
      reply: this.#events.reply,
    });
    this.#events.loaded(unusable.length > 0 ? { ...about, unusable } : about);
  }

  /** Takes a frame of the server. */
  receive(kind: number, payload: Uint8Array): void {
    if (kind === FRAME.calls) this.#runner?.run(readCalls(payload));
    else if (kind === FRAME.abort) this.#runner?.abort(readNumber(payload));
  }

  async #import(): Promise<Record<string, unknown> | undefined> {
    try {
      return await import(this.#what.moduleUrl);
    } catch (error) {
      this.#fail(`does not load: ${this.#describe(error)}`, failureKind(error));
      return undefined;
    }
  }

  #fail(why: string, kind: LoadFailure = "other"): void {
    this.#events.failed(kind, why);
  }

  /** An error for the log. */
  #describe(error: unknown): string {
    return inPlainWords(describeError(error), this.#what.functionName);
  }

  #log(): FunctionLog {
    const at = (level: OutputLevel) => (text: string): void => this.#output.line(level, text);
    return Object.freeze({
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
    });
  }

  /** Unhandled, these would end the isolate without a word to anybody. */
  #takeErrors(): void {
    globalThis.addEventListener("error", (event): void => {
      event.preventDefault();
      if (!(event instanceof ErrorEvent)) return;
      this.#output.line("error", `Uncaught ${describeError(event.error)}`);
    });
    globalThis.addEventListener("unhandledrejection", (event): void => {
      event.preventDefault();
      this.#output.line("error", `Unhandled rejection: ${describeError(event.reason)}`);
    });
  }
}

/** Few modules have a schema: the others do without the library, which takes 2 ms and 0.3 MB. */
async function checkOf(
  { params }: FunctionAbout,
): Promise<{ readonly check?: ParamsCheck; readonly fault?: string }> {
  if (params === undefined) return {};
  const { ParamsCheck, schemaFault } = await import("./params.ts");
  const schema = JSON.parse(params);
  const fault = schemaFault(schema);
  return fault === undefined ? { check: new ParamsCheck(schema) } : { fault };
}

/** Whether the earlier version of the module listens where it wants to listen. */
function failureKind(error: unknown): LoadFailure {
  const isInUse = error instanceof Deno.errors.AddrInUse ||
    error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  return isInUse ? "address in use" : "other";
}
