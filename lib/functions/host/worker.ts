/**
 * @module
 * One function, in a worker of its own: loads the module, takes calls, gives results as text. What runs
 * here is as trustworthy as the module: nothing that matters to others rests on this file.
 */
import { aboutOf, type FunctionAbout } from "../about.ts";
import { describeError } from "../describe_error.ts";
import {
  FRAME,
  FROM_HOST_HEAD,
  readCalls,
  readNumber,
  ResultWriter,
  writeHead,
} from "../frames.ts";
import type { FromWorker, LoadFailure, OutputLevel, ToWorker } from "../messages.ts";
import type { EntryCall, FunctionLog } from "../types.ts";
import { captureOutput, forbidExit, WorkerOutput } from "./output.ts";
import { inPlainWords } from "./plain_words.ts";
import type { ParamsCheck } from "./params.ts";
import { bytesOfHex, FrameInput, writeAll } from "./pipes.ts";
import { PublicError } from "./public_error.ts";
import { type Reply, Runner } from "./runner.ts";
import { unusablePaths } from "./try_paths.ts";

/** The source of a class, which cannot be called. */
const CLASS = /^class\b/;
const toText = Function.prototype.toString;
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
const FUNCTION_NAME = String((globalThis as { name?: unknown }).name);
const output = new WorkerOutput({
  write: (level: OutputLevel, text: string) =>
    post({ output: inPlainWords(text, FUNCTION_NAME), level }),
  leftOut: (count: number) => post({ leftOut: count }),
});
const { stdin, stdout } = Deno;
/** The pipes of a lone worker; the functions' own are taken by output.ts. */
const input = { read: stdin.read.bind(stdin), readSync: stdin.readSync.bind(stdin) };
const results = { writeSync: stdout.writeSync.bind(stdout) };
const log: FunctionLog = Object.freeze({
  debug: (text: string) => output.line("debug", text),
  info: (text: string) => output.line("info", text),
  warn: (text: string) => output.line("warn", text),
  error: (text: string) => output.line("error", text),
});

/** An error for the log. */
function describe(error: unknown): string {
  return inPlainWords(describeError(error), FUNCTION_NAME);
}

type FunctionLoad = Extract<ToWorker, { readonly load: unknown }>["load"];

async function load(what: FunctionLoad): Promise<void> {
  const unusable = what.tries === undefined ? [] : unusablePaths(what.tries);
  let module: Record<string, unknown>;
  try {
    module = await import(what.moduleUrl);
  } catch (error) {
    post({ failed: `does not load: ${describe(error)}`, kind: failureKind(error) });
    return;
  }
  const entry = ENTRY_NAMES.map((name) => module[name])
    .find((each) => typeof each === "function") as EntryCall | undefined;
  if (entry === undefined) {
    post({ failed: "exports no function entry_call", kind: "other" });
    return;
  }
  if (CLASS.test(toText.call(entry))) {
    post({ failed: "exports a class, not a function", kind: "other" });
    return;
  }
  const { about, fault: aboutFault } = aboutOf(module);
  const { check, fault = aboutFault } = await checkOf(about);
  if (fault !== undefined) {
    const failed = `exports params that are not a JSON Schema for an object: ${fault}`;
    post({ failed, kind: "other" });
    return;
  }
  const { functionName, maxResultBytes, lone } = what;
  const reply = replyTo(lone);
  runner = new Runner({
    functionName,
    maxResultBytes,
    entry,
    paramsCheck: check,
    log,
    describe,
    reply,
  });
  post({ loaded: unusable.length > 0 ? { ...about, unusable } : about });
  if (lone !== undefined) takeCalls(new FrameInput(input));
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

/** Results go to the host, or straight to the server. */
function replyTo(lone: FunctionLoad["lone"]): Reply {
  if (lone === undefined) {
    const writer = new ResultWriter((out) => post({ results: out.written.slice() }));
    return { add: (call, outcome) => writer.add(call, outcome), send: (is) => writer.send(is) };
  }
  const mark = bytesOfHex(lone.markHex);
  const writer = new ResultWriter((out) => {
    writeHead(out, mark, lone.number);
    writeAll(results, out.written);
  }, FROM_HOST_HEAD);
  return { add: (call, outcome) => writer.add(call, outcome), send: (is) => writer.send(is) };
}

/** Takes calls from the server itself, until it ends. */
async function takeCalls(frames: FrameInput): Promise<void> {
  await frames.run(({ kind, payload }) => receive(kind, payload));
  post({ isOver: true });
}

function receive(kind: number, payload: Uint8Array): void {
  if (kind === FRAME.calls) runner?.run(readCalls(payload));
  else if (kind === FRAME.abort) runner?.abort(readNumber(payload));
}

let runner: Runner | undefined;
scope.addEventListener("message", ({ data }): void => {
  if ("load" in data) load(data.load);
  else receive(data.kind, data.frame);
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
captureOutput((level, text) => output.line(level, text));
forbidExit();
globalThis.PublicError = PublicError;
post({ started: true });
