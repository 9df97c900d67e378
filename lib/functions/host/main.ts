/**
 * @module
 * The function host: the process in which functions run, each in workers of its own. It passes messages
 * between the server and the workers, watches its memory, and ends when its standard input ends, that
 * is, with the server. When the workers have started it gives up every permission.
 */
import { PERMISSIONS } from "../../config/permissions.ts";
import { believeAbout } from "../about.ts";
import {
  type BatchExtras,
  type CallOutcome,
  type FromHost,
  type FromWorker,
  type HostedFunction,
  type HostSetup,
  LineReader,
  type OutcomeKind,
  type OutputLevel,
  type ToHost,
  type ToWorker,
} from "../messages.ts";
import { LINES_PER_SECOND } from "./output.ts";

/** How often the host looks at its memory; a function can fill some 100 MB in that time. */
const MEMORY_INTERVAL_MS = 100;
const OUTPUT_LEVELS: readonly string[] = ["debug", "info", "warn", "error"] satisfies OutputLevel[];
const encoder = new TextEncoder();
const revokeSync = Deno.permissions.revokeSync.bind(Deno.permissions);

/** A worker, as far as its messages can be believed. */
class HostWorker {
  readonly #index: number;
  readonly #tell: (message: FromHost) => void;
  readonly #worker: Worker;
  /** Calls that it was given and has not answered. */
  readonly #open = new Set<number>();
  readonly #maxResultBytes: number;
  #isAwaited = false;
  #lines = { second: 0, count: 0 };

  constructor(index: number, hosted: HostedFunction, events: {
    tell: (message: FromHost) => void;
    onStarted: () => void;
  }) {
    this.#index = index;
    this.#tell = events.tell;
    this.#maxResultBytes = hosted.maxResultBytes;
    this.#worker = startWorker(hosted);
    let hasStarted = false;
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      try {
        if (!("started" in data)) this.#receive(data);
        else if (!hasStarted) {
          hasStarted = true;
          events.onStarted();
        }
      } catch (error) {
        // The module posted something of its own.
        if (this.#mayWrite()) events.tell(["output", index, "warn", `Strange message: ${error}`]);
      }
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#tell(["failed", index, `does not load: ${event.message.split("\n", 1)[0]}`]);
    };
    const { functionName, moduleUrl, maxResultBytes } = hosted;
    this.#post({ load: { functionName, moduleUrl, maxResultBytes } });
  }

  call(ids: readonly number[], extras: BatchExtras | undefined): void {
    for (const id of ids) this.#open.add(id);
    this.#isAwaited = true;
    this.#post(extras === undefined ? { call: ids } : { call: ids, extras });
  }

  abort(ids: readonly number[]): void {
    this.#post({ abort: ids });
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(data: FromWorker): void {
    const index = this.#index;
    if ("outcomes" in data) this.#receiveOutcomes(data.outcomes, data.hasReturned);
    else if ("loaded" in data) this.#tell(["loaded", index, believeAbout(data.loaded)]);
    else if ("failed" in data) this.#tell(["failed", index, String(data.failed).slice(0, 2000)]);
    else if (!this.#mayWrite()) return;
    else if ("leftOut" in data) this.#tell(["left out", index, Number(data.leftOut)]);
    else if ("output" in data && OUTPUT_LEVELS.includes(data.level)) {
      this.#tell(["output", index, data.level, String(data.output).slice(0, 2000)]);
    }
  }

  /** Only outcomes of calls that are this worker's to answer, each once. */
  #receiveOutcomes(outcomes: readonly CallOutcome[], hasReturned: boolean): void {
    const believed = outcomes.filter(([id]) => this.#open.delete(id))
      .map((outcome) => believe(outcome, this.#maxResultBytes));
    const isFree = hasReturned === true && this.#isAwaited;
    if (isFree) this.#isAwaited = false;
    if (isFree || believed.length > 0) this.#tell(["results", this.#index, isFree, believed]);
  }

  /** The worker limits itself; this is for one that does not. */
  #mayWrite(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#lines.second) this.#lines = { second, count: 0 };
    return this.#lines.count++ <= 2 * LINES_PER_SECOND;
  }
}

const OUTCOME_KINDS: readonly string[] = [
  "text",
  "json",
  "error",
  "public",
  "params",
  "large",
] satisfies OutcomeKind[];

/** An outcome with members of their types, none longer than a result may be. */
function believe([id, kind, text, more]: CallOutcome, maxResultBytes: number): CallOutcome {
  if (!OUTCOME_KINDS.includes(kind)) return [id, "error", "the outcome is malformed"];
  const believed = String(text), rest = String(more ?? "");
  if (Math.max(believed.length, rest.length) > maxResultBytes) return [id, "large", ""];
  return more === undefined ? [id, kind, believed] : [id, kind, believed, rest];
}

function startWorker({ functionName, permissions }: HostedFunction): Worker {
  const granted = PERMISSIONS.map((each) => {
    const list = each.isGrantable ? permissions[each.name] : [];
    return [each.name, list === true || list.length > 0 && [...list]];
  });
  return new Worker(new URL("./worker.ts", import.meta.url).href, {
    type: "module",
    name: functionName,
    deno: { permissions: Object.fromEntries(granted) },
  } as WorkerOptions);
}

/**
 * Runs functions until the standard input ends.
 *
 * @returns the exit code: 2 when it was not started by a server.
 */
export async function runFunctionHost(): Promise<number> {
  const reader = new LineReader();
  let workers: HostWorker[] | undefined;
  for await (const bytes of Deno.stdin.readable) {
    for (const line of reader.read(bytes)) {
      if (workers === undefined) {
        const setup = parseSetup(line);
        if (setup === undefined) return 2;
        workers = startWorkers(setup);
      } else handle(JSON.parse(line), workers);
    }
  }
  return workers === undefined ? 2 : 0;
}

function parseSetup(line: string): HostSetup | undefined {
  try {
    const setup: HostSetup = JSON.parse(line);
    return typeof setup.token === "string" && Array.isArray(setup.functions) ? setup : undefined;
  } catch {
    return undefined;
  }
}

function startWorkers({ token, functions, maxGrowthBytes }: HostSetup): HostWorker[] {
  const tell = (message: FromHost): void => {
    // The line end in front: a function may have written half a line to the same descriptor.
    const bytes = encoder.encode(`\n${token}${JSON.stringify(message)}\n`);
    for (let done = 0; done < bytes.length;) done += Deno.stdout.writeSync(bytes.subarray(done));
  };
  const hosted = functions.flatMap((each) => Array<HostedFunction>(each.instances).fill(each));
  let starting = hosted.length;
  const onStarted = (): void => {
    if (--starting > 0) return;
    // Workers have permissions of their own, which stay.
    for (const { name } of PERMISSIONS) revokeSync({ name });
    watchMemory(maxGrowthBytes, tell);
  };
  return hosted.map((each, index) => new HostWorker(index, each, { tell, onStarted }));
}

function watchMemory(maxGrowthBytes: number, tell: (message: FromHost) => void): void {
  const limit = Deno.memoryUsage().rss + maxGrowthBytes;
  const timer = setInterval(() => {
    const { rss } = Deno.memoryUsage();
    if (rss <= limit) return;
    clearInterval(timer);
    // The server ends this process.
    tell(["memory", rss]);
  }, MEMORY_INTERVAL_MS);
}

function handle([kind, index, ids, extras]: ToHost, workers: readonly HostWorker[]): void {
  if (kind === "call") workers[index]?.call(ids, extras);
  else workers[index]?.abort(ids);
}
