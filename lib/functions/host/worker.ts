/**
 * @module
 * One function, in a worker of its own: loads the module, runs calls, gives results as text. What runs
 * here is as trustworthy as the module: nothing that matters to others rests on this file.
 */
import { aboutOf } from "../about.ts";
import { describeError } from "../describe_error.ts";
import type {
  BatchExtras,
  CallExtras,
  CallOutcome,
  FromWorker,
  HostedFunction,
  LoadFailure,
  OutputLevel,
  ToWorker,
} from "../messages.ts";
import type { EntryCall, FunctionCall, FunctionLog } from "../types.ts";
import { captureOutput, forbidExit, WorkerOutput } from "./output.ts";
import { ParamsCheck, schemaFault } from "./params.ts";
import { PublicError, publicPartOf } from "./public_error.ts";
import { toJson } from "./result.ts";

const ENTRY_NAMES = ["entry_call", "entryCall", "default"] as const;

interface WorkerScope {
  postMessage(message: FromWorker): void;
  addEventListener(type: "message", listener: (event: MessageEvent<ToWorker>) => void): void;
  addEventListener(
    type: "error" | "unhandledrejection",
    listener: (event: ErrorEvent | PromiseRejectionEvent) => void,
  ): void;
}

/** The module may replace globals: what this file needs is taken before it loads. */
const scope = globalThis as unknown as WorkerScope;
const post = scope.postMessage.bind(scope);
const output = new WorkerOutput({
  write: (level: OutputLevel, text: string) => post({ output: text, level }),
  leftOut: (count: number) => post({ leftOut: count }),
});
const encoder = new TextEncoder();
const log: FunctionLog = Object.freeze({
  debug: (text: string) => output.line("debug", text),
  info: (text: string) => output.line("info", text),
  warn: (text: string) => output.line("warn", text),
  error: (text: string) => output.line("error", text),
});

/** What a function gets. The signal is made when it is asked for: most functions never do. */
class Call implements FunctionCall {
  readonly functionName: string;
  readonly params: unknown;
  readonly client: string | undefined;
  readonly log = log;
  #controller: AbortController | undefined;
  #isOver = false;

  constructor(functionName: string, params: unknown, client: string | undefined) {
    this.functionName = functionName;
    this.params = params;
    this.client = client;
  }

  /** What `params` was called before; modules of that time go on working. */
  get args(): unknown {
    return this.params;
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isOver) this.#controller.abort(timeoutReason());
    return this.#controller.signal;
  }

  abort(): void {
    this.#isOver = true;
    this.#controller?.abort(timeoutReason());
  }
}

function timeoutReason(): DOMException {
  return new DOMException("the time of the call is over", "TimeoutError");
}

/** Runs the calls of one function. */
class Runner {
  readonly #functionName: string;
  readonly #maxResultBytes: number;
  readonly #entry: EntryCall;
  readonly #paramsCheck: ParamsCheck | undefined;
  /** Calls whose result is not there yet. */
  readonly #running = new Map<number, Call>();
  #late: CallOutcome[] = [];

  constructor(
    entry: EntryCall,
    paramsCheck: ParamsCheck | undefined,
    { functionName, maxResultBytes }: FunctionLoad,
  ) {
    this.#entry = entry;
    this.#paramsCheck = paramsCheck;
    this.#functionName = functionName;
    this.#maxResultBytes = maxResultBytes;
  }

  run(ids: readonly number[], extras: BatchExtras | undefined): void {
    const outcomes: CallOutcome[] = [];
    ids.forEach((id, i) => {
      const outcome = this.#start(id, extras?.[i]);
      if (outcome !== undefined) outcomes.push(outcome);
    });
    post({ outcomes, hasReturned: true });
  }

  abort(ids: readonly number[]): void {
    for (const id of ids) this.#running.get(id)?.abort();
  }

  /** The outcome of a function that is not async. */
  #start(id: number, [text, client]: CallExtras = [null]): CallOutcome | undefined {
    try {
      const params = text === null ? undefined : JSON.parse(text);
      const misfit = this.#paramsCheck?.check(params ?? {});
      if (misfit !== undefined) return [id, "params", misfit.expected, misfit.path];
      const call = new Call(this.#functionName, params, client);
      const entry = this.#entry;
      const started = entry(call);
      if (!isThenable(started)) return this.#outcome(id, started);
      this.#running.set(id, call);
      Promise.resolve(started).then((result) => this.#outcome(id, result)).then(
        (outcome) => this.#finish(outcome),
        (error) => this.#finish(failure(id, error)),
      );
      return undefined;
    } catch (error) {
      return failure(id, error);
    }
  }

  /** Outcomes of one turn of the event loop go in one message. */
  #finish(outcome: CallOutcome): void {
    this.#running.delete(outcome[0]);
    if (this.#late.push(outcome) > 1) return;
    queueMicrotask(() => {
      post({ outcomes: this.#late, hasReturned: false });
      this.#late = [];
    });
  }

  #outcome(id: number, result: unknown): CallOutcome {
    const isText = typeof result === "string";
    const text = isText ? result : toJson(result);
    const limit = this.#maxResultBytes;
    // A UTF-16 unit is three bytes at most.
    const isLarge = 3 * text.length > limit && encoder.encode(text).length > limit;
    return isLarge ? [id, "large", ""] : [id, isText ? "text" : "json", text];
  }
}

/** The outcome of a function that threw. */
function failure(id: number, error: unknown): CallOutcome {
  const forCaller = publicPartOf(error);
  if (forCaller === undefined) return [id, "error", describeError(error)];
  const { message, data } = forCaller;
  try {
    return data === undefined ? [id, "public", message] : [id, "public", message, toJson(data)];
  } catch (cause) {
    return [id, "error", `${describeError(error)}; its data: ${describeError(cause)}`];
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

type FunctionLoad = Pick<HostedFunction, "functionName" | "moduleUrl" | "maxResultBytes">;

/** Deno names a flag of its own when a module imports from npm. */
function describeImport(error: unknown): string {
  const text = describeError(error);
  return text.includes("--no-npm") ? "npm: imports are not available to functions" : text;
}

async function load(what: FunctionLoad): Promise<void> {
  let module: Record<string, unknown>;
  try {
    module = await import(what.moduleUrl);
  } catch (error) {
    post({ failed: `does not load: ${describeImport(error)}`, kind: failureKind(error) });
    return;
  }
  const entry = ENTRY_NAMES.map((name) => module[name])
    .find((each) => typeof each === "function") as EntryCall | undefined;
  if (entry === undefined) {
    post({ failed: "exports no function entry_call", kind: "other" });
    return;
  }
  const { about, fault: aboutFault } = aboutOf(module);
  const schema = about.params === undefined ? undefined : JSON.parse(about.params);
  const fault = aboutFault ?? (schema === undefined ? undefined : schemaFault(schema));
  if (fault !== undefined) {
    const failed = `exports params that are not a JSON Schema for an object: ${fault}`;
    post({ failed, kind: "other" });
    return;
  }
  runner = new Runner(entry, schema === undefined ? undefined : new ParamsCheck(schema), what);
  post({ loaded: about });
}

/** Whether the earlier version of the module listens where it wants to listen. */
function failureKind(error: unknown): LoadFailure {
  const isInUse = error instanceof Deno.errors.AddrInUse ||
    error instanceof Error && "code" in error && error.code === "EADDRINUSE";
  return isInUse ? "address in use" : "other";
}

let runner: Runner | undefined;
scope.addEventListener("message", ({ data }): void => {
  if ("call" in data) runner?.run(data.call, data.extras);
  else if ("abort" in data) runner?.abort(data.abort);
  else load(data.load);
});
// Unhandled, these would end the worker without a word to anybody.
scope.addEventListener("error", (event): void => {
  event.preventDefault();
  if (event instanceof ErrorEvent) output.line("error", `Uncaught ${describeError(event.error)}`);
});
scope.addEventListener("unhandledrejection", (event): void => {
  event.preventDefault();
  if (!(event instanceof PromiseRejectionEvent)) return;
  output.line("error", `Unhandled rejection: ${describeError(event.reason)}`);
});
captureOutput(output);
forbidExit();
globalThis.PublicError = PublicError;
post({ started: true });
