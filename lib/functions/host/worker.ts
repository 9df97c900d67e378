/**
 * @module
 * One function, in a worker of its own: loads the module, runs calls, gives results as text. What runs
 * here is as trustworthy as the module: nothing that matters to others rests on this file.
 */
import { describeError } from "../describe_error.ts";
import type {
  BatchParams,
  CallOutcome,
  FromWorker,
  HostedFunction,
  OutputLevel,
  ToWorker,
} from "../messages.ts";
import type { EntryCall, FunctionCall, FunctionLog } from "../types.ts";
import { captureOutput, forbidExit, WorkerOutput } from "./output.ts";

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
  readonly log = log;
  #controller: AbortController | undefined;
  #isOver = false;

  constructor(functionName: string, params: unknown) {
    this.functionName = functionName;
    this.params = params;
  }

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
  /** Calls whose result is not there yet. */
  readonly #running = new Map<number, Call>();
  #late: CallOutcome[] = [];

  constructor(entry: EntryCall, { functionName, maxResultBytes }: FunctionLoad) {
    this.#entry = entry;
    this.#functionName = functionName;
    this.#maxResultBytes = maxResultBytes;
  }

  run(ids: readonly number[], params: BatchParams | undefined): void {
    const outcomes: CallOutcome[] = [];
    ids.forEach((id, i) => {
      const outcome = this.#start(id, params?.[i] ?? undefined);
      if (outcome !== undefined) outcomes.push(outcome);
    });
    post({ outcomes, hasReturned: true });
  }

  abort(ids: readonly number[]): void {
    for (const id of ids) this.#running.get(id)?.abort();
  }

  /** The outcome of a function that is not async. */
  #start(id: number, params: string | undefined): CallOutcome | undefined {
    try {
      const call = new Call(
        this.#functionName,
        params === undefined ? undefined : JSON.parse(params),
      );
      const entry = this.#entry;
      const started = entry(call);
      if (!isThenable(started)) return this.#outcome(id, started);
      this.#running.set(id, call);
      Promise.resolve(started).then((result) => this.#outcome(id, result)).then(
        (outcome) => this.#finish(outcome),
        (error) => this.#finish([id, "error", describeError(error)]),
      );
      return undefined;
    } catch (error) {
      return [id, "error", describeError(error)];
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
    const text = isText ? result : JSON.stringify(result) ?? "null";
    const limit = this.#maxResultBytes;
    // A UTF-16 unit is three bytes at most.
    if (3 * text.length > limit && encoder.encode(text).length > limit) {
      throw new RangeError(`the result is longer than MaxResult (${limit} bytes)`);
    }
    return [id, isText ? "text" : "json", text];
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
    post({ failed: `does not load: ${describeImport(error)}` });
    return;
  }
  const entry = ENTRY_NAMES.map((name) => module[name])
    .find((each) => typeof each === "function") as EntryCall | undefined;
  if (entry === undefined) {
    post({ failed: "exports no function entry_call" });
    return;
  }
  runner = new Runner(entry, what);
  post({ loaded: true });
}

let runner: Runner | undefined;
scope.addEventListener("message", ({ data }): void => {
  if ("call" in data) runner?.run(data.call, data.params);
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
post({ started: true });
