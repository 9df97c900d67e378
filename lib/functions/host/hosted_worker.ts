/**
 * @module
 * The host's side of one worker: starts it with the permissions of its function, and passes on what it
 * says as far as that can be believed. A module can post messages of its own: every field is checked
 * and every text is cut here.
 */
import { PERMISSIONS } from "../../config/permissions.ts";
import { believeAbout } from "../wire/about.ts";
import { ByteWriter } from "../wire/bytes.ts";
import { WORKER } from "../entry.ts";
import { writeHead } from "../wire/frames.ts";
import {
  cutText,
  type FromHost,
  type HostedFunction,
  isOutputLevel,
  LINES_PER_SECOND,
  type ToWorker,
} from "../wire/messages.ts";
import { inPlainWords } from "./plain_words.ts";
import { bytesOfHex, writeAll } from "./pipes.ts";

/** Bytes of a message with results beyond the largest result. */
const RESULTS_BYTES = 32 * 1024;

/** What a worker works with, and what it tells its host. */
export interface WorkerEvents {
  /** Begins each frame of results, in hexadecimal digits. */
  readonly markHex: string;
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
  readonly #maxMessageBytes: number;
  readonly #mark: Uint8Array;
  readonly #out = new ByteWriter();
  #phase: "new" | "loading" | "settled" = "new";
  #lines = { second: 0, count: 0 };

  constructor(number: number, hosted: HostedFunction, events: WorkerEvents) {
    const { functionName, moduleUrl, maxResultBytes, tries } = hosted;
    this.functionName = functionName;
    this.#number = number;
    this.#events = events;
    this.#maxMessageBytes = maxResultBytes + RESULTS_BYTES;
    this.#mark = bytesOfHex(events.markHex);
    const load = { functionName, moduleUrl, maxResultBytes };
    this.#load = { load: tries === undefined ? load : { ...load, tries } };
    this.#worker = startWorker(hosted);
    this.#worker.onmessage = ({ data }: MessageEvent<unknown>) => this.#receive(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const [text = ""] = event.message.split("\n", 1);
      this.#fail("other", `does not load: ${inPlainWords(text, functionName)}`);
    };
  }

  /** Passes a frame on; its memory is used again. */
  pass(kind: number, payload: Uint8Array): void {
    this.#post({ kind, frame: payload.slice() });
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
    if ("results" in fields && fields.results instanceof Uint8Array) {
      this.#passResults(fields.results);
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

  /** Under the worker's own number; the server checks whether they are results of its calls. */
  #passResults(payload: Uint8Array): void {
    if (payload.length > this.#maxMessageBytes) return;
    const out = this.#out;
    out.clear();
    out.bytes(this.#mark);
    out.word(0);
    out.word(0);
    out.bytes(payload);
    writeHead(out, this.#mark, this.#number);
    writeAll(Deno.stdout, out.written);
  }

  /** The worker limits itself; this is for one that does not. */
  #mayWrite(): boolean {
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.#lines.second) this.#lines = { second, count: 0 };
    return this.#lines.count++ <= 2 * LINES_PER_SECOND;
  }
}

function startWorker({ functionName, permissions }: HostedFunction): Worker {
  const granted = PERMISSIONS.map((each) => {
    const list = each.isGrantable ? permissions[each.name] : [];
    return [each.name, list === true || list.length > 0 && [...list]];
  });
  return new Worker(WORKER, {
    type: "module",
    name: functionName,
    deno: { permissions: Object.fromEntries(granted) },
  } as WorkerOptions);
}
