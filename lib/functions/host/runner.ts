/**
 * @module
 * Runs the calls of one function, and tells how each ended.
 */
import type { CallNumber, HostedCall, WrittenOutcome } from "../wire/frames.ts";
import { MAX_TEXT_LENGTH } from "../wire/messages.ts";
import type { EntryCall, FunctionCall, FunctionLog } from "../types.ts";
import type { ParamsCheck } from "./params.ts";
import { publicPartOf } from "./public_error.ts";
import { toJson } from "./result.ts";

/** The module may replace globals: this is taken before it loads. */
const encoder = new TextEncoder();

/** What a function gets. The signal is made when it is asked for: most functions never do. */
class Call implements FunctionCall {
  readonly functionName: string;
  readonly params: unknown;
  readonly client: string | undefined;
  readonly log: FunctionLog;
  #controller: AbortController | undefined;
  #isOver = false;

  constructor(
    { functionName, log }: RunnerParts,
    { params, client }: { readonly params: unknown; readonly client: string | undefined },
  ) {
    this.functionName = functionName;
    this.log = log;
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

/** Where a runner writes how calls ended. */
export interface Reply {
  readonly add: (call: CallNumber, outcome: WrittenOutcome) => void;
  readonly send: (hasReturned: boolean) => void;
}

/** What a runner works with. */
export interface RunnerParts {
  readonly functionName: string;
  readonly maxResultBytes: number;
  readonly entry: EntryCall;
  /** Of the params, where the module has a schema. */
  readonly paramsCheck: ParamsCheck | undefined;
  readonly log: FunctionLog;
  /** An error for the log. */
  readonly describe: (error: unknown) => string;
  readonly reply: Reply;
}

/** Runs the calls of one function. */
export class Runner {
  readonly #parts: RunnerParts;
  /** Calls whose result is not there yet, by place. */
  readonly #running = new Map<number, Call>();
  /** Outcomes that were added and not sent. */
  #lateCount = 0;

  constructor(parts: RunnerParts) {
    this.#parts = parts;
  }

  /** Runs calls that came together; what they return at once goes back together. */
  run(calls: readonly HostedCall[]): void {
    const { reply } = this.#parts;
    for (const call of calls) {
      const outcome = this.#start(call);
      if (outcome !== undefined) reply.add(call, outcome);
    }
    this.#lateCount = 0;
    reply.send(true);
  }

  /** Nobody waits for a call any more. */
  abort({ place }: CallNumber): void {
    this.#running.get(place)?.abort();
  }

  /** The outcome of a function that is not async. */
  #start(hosted: HostedCall): WrittenOutcome | undefined {
    const { entry, paramsCheck } = this.#parts;
    try {
      const params = hosted.params === undefined ? undefined : JSON.parse(hosted.params);
      const misfit = paramsCheck?.check(params ?? {});
      if (misfit !== undefined) return fault("params", misfit.expected, misfit.path);
      const call = new Call(this.#parts, { params, client: hosted.client });
      const started = entry(call);
      if (!isThenable(started)) return this.#outcome(started);
      this.#running.set(hosted.place, call);
      Promise.resolve(started).then((result) => this.#outcome(result)).then(
        (outcome) => this.#finish(hosted, outcome),
        (error) => this.#finish(hosted, this.#failure(error)),
      );
      return undefined;
    } catch (error) {
      return this.#failure(error);
    }
  }

  /** Outcomes of one turn of the event loop go in one message. */
  #finish(hosted: HostedCall, outcome: WrittenOutcome): void {
    this.#running.delete(hosted.place);
    this.#parts.reply.add(hosted, outcome);
    if (++this.#lateCount > 1) return;
    queueMicrotask(() => {
      if (this.#lateCount > 0) this.#parts.reply.send(false);
      this.#lateCount = 0;
    });
  }

  #outcome(result: unknown): WrittenOutcome {
    const isText = typeof result === "string";
    return this.#within({ kind: isText ? "text" : "json", text: isText ? result : toJson(result) });
  }

  /** The outcome of a function that threw. */
  #failure(error: unknown): WrittenOutcome {
    const { describe } = this.#parts;
    const forCaller = publicPartOf(error);
    if (forCaller === undefined) return fault("error", describe(error));
    const { message, data } = forCaller;
    try {
      const more = data === undefined ? {} : { more: toJson(data) };
      return this.#within({ kind: "public", text: message, ...more });
    } catch (cause) {
      return fault("error", `${describe(error)}; its data: ${describe(cause)}`);
    }
  }

  #within(outcome: WrittenOutcome): WrittenOutcome {
    const { text, more = "" } = outcome;
    const limit = this.#parts.maxResultBytes;
    // A UTF-16 unit is three bytes at most.
    if (3 * (text.length + more.length) <= limit) return outcome;
    const bytes = encoder.encode(text).length + encoder.encode(more).length;
    return bytes > limit ? { kind: "large", text: "" } : outcome;
  }
}

/** An outcome for the log. */
function fault(kind: "error" | "params", text: string, more?: string): WrittenOutcome {
  const cut = text.slice(0, MAX_TEXT_LENGTH);
  return more === undefined ? { kind, text: cut } : {
    kind,
    text: cut,
    more: more.slice(0, MAX_TEXT_LENGTH),
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}
