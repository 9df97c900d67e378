/**
 * @module
 * The host's side of one worker: starts it with the permissions of its function, and passes on what it
 * says as far as that can be believed. A module can post messages of its own: every field is checked
 * and every text is cut here.
 */
import { PERMISSIONS } from "../../config/permissions.ts";
import { believeAbout } from "../about.ts";
import {
  type BatchExtras,
  type CallOutcome,
  cutOutcome,
  cutText,
  type FromHost,
  type HostedFunction,
  isOutcome,
  isOutputLevel,
  lengthOf,
  MAX_OUTCOMES,
  type ToWorker,
} from "../messages.ts";
import { LINES_PER_SECOND } from "./output.ts";

/** Characters of results in one message beyond which another one begins. */
const MAX_MESSAGE_LENGTH = 8192;

/** What a worker tells its host. */
export interface WorkerEvents {
  readonly tell: (message: FromHost) => void;
  /** Its own code runs; the import of the module begins. Called once at most. */
  readonly onStarted: () => void;
  /** The module has loaded or failed. Called once at most. */
  readonly onSettled: () => void;
}

/** A worker, as far as its messages can be believed. */
export class HostedWorker {
  readonly functionName: string;
  readonly #number: number;
  readonly #events: WorkerEvents;
  readonly #worker: Worker;
  readonly #load: ToWorker;
  readonly #maxResultBytes: number;
  /** Calls that it was given and has not answered. */
  readonly #open = new Set<number>();
  /** Of {@link #open}, those that nobody waits for. */
  readonly #aborted = new Set<number>();
  #phase: "new" | "loading" | "settled" = "new";
  #isAwaited = false;
  #lines = { second: 0, count: 0 };

  constructor(number: number, hosted: HostedFunction, events: WorkerEvents) {
    const { functionName, moduleUrl, maxResultBytes } = hosted;
    this.functionName = functionName;
    this.#number = number;
    this.#events = events;
    this.#maxResultBytes = maxResultBytes;
    this.#load = { load: { functionName, moduleUrl, maxResultBytes } };
    this.#worker = startWorker(hosted);
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail("other", `does not load: ${event.message.split("\n", 1)[0]}`);
    };
  }

  /** Whether somebody waits for a call of it. */
  get isCalled(): boolean {
    return this.#open.size > this.#aborted.size;
  }

  call(ids: readonly number[], extras: BatchExtras | undefined): void {
    for (const id of ids) this.#open.add(id);
    this.#isAwaited = true;
    this.#post(extras === undefined ? { call: ids } : { call: ids, extras });
  }

  abort(ids: readonly number[]): void {
    for (const id of ids) if (this.#open.has(id)) this.#aborted.add(id);
    this.#post({ abort: ids });
  }

  /** Ends it; a thread in an endless loop goes on. */
  end(): void {
    this.#worker.onmessage = null;
    this.#worker.terminate();
    this.#settle();
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  #receive(data: unknown): void {
    const number = this.#number;
    const fields = typeof data === "object" && data !== null ? data : {};
    if ("outcomes" in fields && Array.isArray(fields.outcomes)) {
      this.#receiveOutcomes(
        fields.outcomes,
        "hasReturned" in fields && fields.hasReturned === true,
      );
    } else if ("started" in fields) this.#start();
    else if ("loaded" in fields) {
      if (this.#settle()) this.#events.tell(["loaded", number, believeAbout(fields.loaded)]);
    } else if ("failed" in fields) {
      const isInUse = "kind" in fields && fields.kind === "address in use";
      this.#fail(isInUse ? "address in use" : "other", cutText(fields.failed) ?? "does not load");
    } else if (!this.#mayWrite()) return;
    else if ("leftOut" in fields && Number.isSafeInteger(fields.leftOut)) {
      this.#events.tell(["left out", number, Math.max(0, Number(fields.leftOut))]);
    } else if ("output" in fields && "level" in fields && isOutputLevel(fields.level)) {
      this.#events.tell(["output", number, fields.level, cutText(fields.output) ?? ""]);
    } else {
      this.#events.tell(["output", number, "warn", "It posted a message of its own, not a result"]);
    }
  }

  #start(): void {
    if (this.#phase !== "new") return;
    this.#phase = "loading";
    this.#events.tell(["loading", this.#number]);
    this.#post(this.#load);
    this.#events.onStarted();
  }

  #fail(kind: "address in use" | "other", why: string): void {
    if (this.#settle()) this.#events.tell(["failed", this.#number, kind, why]);
  }

  /** @returns whether it had not settled before */
  #settle(): boolean {
    if (this.#phase === "settled") return false;
    this.#phase = "settled";
    this.#events.onSettled();
    return true;
  }

  /** Only outcomes of calls that are this worker's to answer, each once. */
  #receiveOutcomes(outcomes: readonly unknown[], hasReturned: boolean): void {
    const believed = outcomes.filter(isOutcome).filter(([id]) => this.#open.delete(id))
      .map((outcome) => cutOutcome(outcome, this.#maxResultBytes));
    for (const [id] of believed) this.#aborted.delete(id);
    const isFree = hasReturned && this.#isAwaited;
    if (isFree) this.#isAwaited = false;
    const batches = split(believed);
    const last = batches.pop();
    for (const batch of batches) this.#events.tell(["results", this.#number, false, batch]);
    if (isFree || last !== undefined) {
      this.#events.tell(["results", this.#number, isFree, last ?? []]);
    }
  }

  /** The worker limits itself; this is for one that does not. */
  #mayWrite(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#lines.second) this.#lines = { second, count: 0 };
    return this.#lines.count++ <= 2 * LINES_PER_SECOND;
  }
}

/** Outcomes in messages that are not much longer than the longest of them. */
function split(outcomes: readonly CallOutcome[]): CallOutcome[][] {
  const batches: CallOutcome[][] = [];
  let length = Infinity;
  for (const outcome of outcomes) {
    const last = batches.at(-1);
    if (last === undefined || length > MAX_MESSAGE_LENGTH || last.length >= MAX_OUTCOMES) {
      batches.push([outcome]);
      length = 0;
    } else last.push(outcome);
    length += lengthOf(outcome);
  }
  return batches;
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
