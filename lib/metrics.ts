/**
 * @module
 * What can be counted of a running server, in Prometheus' text format (`prom-client`). No label says who a
 * client is: reasons, names of functions from modules.ini, and nothing else.
 */
import type { Counter, Histogram, Registry } from "prom-client";
import type { FunctionState } from "./functions/function.ts";
import { VERSION } from "./version.ts";
import type { CallRefusal } from "./http/answer.ts";

/** What is read when somebody asks. */
export interface MetricSources {
  readonly requestsInFlight: () => number;
  readonly registeredClients: () => number;
  readonly registeredSecrets: () => number;
  /** Milliseconds of looking for senders among all keys. */
  readonly searchMs: () => number;
  /** Places of the replay guard. */
  readonly replay: () => Readonly<Record<"window" | "entries", { used: number; capacity: number }>>;
  readonly functions: () => readonly {
    readonly functionName: string;
    readonly state: FunctionState;
    readonly queueLength: number;
  }[];
  /** Processes of functions that ended by themselves. */
  readonly processEnds: () => number;
}

/** What changes while the server runs. */
export type Reloaded = "key_store" | "modules" | "certificate";

/** Upper bounds of the buckets, in seconds. */
const BUCKETS = [
  0.0005,
  0.001,
  0.0025,
  0.005,
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  1,
  2.5,
  5,
  10,
  30,
];

type Library = typeof import("prom-client");

/** The metrics of a server. */
export class Metrics {
  readonly #registry: Registry;
  readonly #requests: Counter<"outcome" | "reason">;
  readonly #durations: Histogram<"outcome">;
  readonly #calls: Counter<"function" | "outcome">;
  readonly #reloads: Counter<"what">;
  readonly #prom: Library;

  private constructor(prom: Library) {
    const registry = new prom.Registry();
    const registers = [registry];
    this.#prom = prom;
    this.#registry = registry;
    this.#requests = new prom.Counter({
      name: "msp_requests_total",
      help:
        "Requests to the endpoint by outcome; the reason of a refusal stands here and in the log only.",
      labelNames: ["outcome", "reason"],
      registers,
    });
    this.#durations = new prom.Histogram({
      name: "msp_request_duration_seconds",
      help:
        "Time from the head of a request to its outcome, without the time for which refusals are held.",
      labelNames: ["outcome"],
      buckets: BUCKETS,
      registers,
    });
    this.#calls = new prom.Counter({
      name: "msp_function_calls_total",
      help: "Calls of functions by outcome.",
      labelNames: ["function", "outcome"],
      registers,
    });
    this.#reloads = new prom.Counter({
      name: "msp_reloads_total",
      help: "Changes taken up while running.",
      labelNames: ["what"],
      registers,
    });
  }

  /** Loads the library, which a server without an admin address does not need. */
  static async load(): Promise<Metrics> {
    return new Metrics(await import("prom-client"));
  }

  /** From now on these are asked too. */
  addSources(sources: MetricSources): void {
    addGauges(this.#prom, this.#registry, sources);
  }

  /** A request ended. @param reason why it was refused */
  ended(durationMs: number, reason?: string): void {
    const outcome = reason === undefined ? "answered" : "refused";
    this.#requests.inc({ outcome, reason: reason ?? "" });
    this.#durations.observe({ outcome }, durationMs / 1000);
  }

  /** A function of modules.ini was called. @param refusal why it brought no result */
  called(functionName: string, refusal: CallRefusal | undefined): void {
    const outcome = refusal?.replace(/^function (?:is )?/, "") ?? "ok";
    this.#calls.inc({ function: functionName, outcome });
  }

  /** A change was taken up. */
  reloaded(what: Reloaded): void {
    this.#reloads.inc({ what });
  }

  /** Content type and text for Prometheus. */
  async expose(): Promise<{ contentType: string; text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }
}

function addGauges(prom: Library, registry: Registry, sources: MetricSources): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number): void =>
    void new prom.Gauge({
      name,
      help,
      registers,
      collect(): void {
        this.set(read());
      },
    });
  const counter = (name: string, help: string, read: () => number): void =>
    void new prom.Counter({
      name,
      help,
      registers,
      collect(): void {
        this.reset();
        this.inc(read());
      },
    });
  gauge("msp_requests_in_flight", "Requests in flight.", sources.requestsInFlight);
  gauge("msp_registered_clients", "Registered public keys.", sources.registeredClients);
  gauge("msp_registered_secrets", "Registered secrets.", sources.registeredSecrets);
  counter(
    "msp_sender_search_seconds_total",
    "Time spent looking for senders among all keys.",
    () => sources.searchMs() / 1000,
  );
  counter(
    "msp_function_process_ends_total",
    "Processes of functions that ended by themselves.",
    sources.processEnds,
  );
  const started = Date.now() / 1000;
  gauge("process_start_time_seconds", "Start of the process, Unix time.", () => started);
  gauge(
    "process_resident_memory_bytes",
    "Memory of the server, without the processes of functions.",
    () => Deno.memoryUsage().rss,
  );
  new prom.Gauge({
    name: "msp_build_info",
    help: "Always 1.",
    labelNames: ["version", "deno"],
    registers,
  }).set({ version: VERSION, deno: Deno.version.deno }, 1);
  for (const kind of ["used", "capacity"] as const) {
    new prom.Gauge({
      name: `msp_replay_${kind}`,
      help: `Places of the replay guard: ${kind}.`,
      labelNames: ["table"],
      registers,
      collect(): void {
        const { window, entries } = sources.replay();
        this.set({ table: "window" }, window[kind]);
        this.set({ table: "entries" }, entries[kind]);
      },
    });
  }
  new prom.Gauge({
    name: "msp_function_queue_length",
    help: "Calls that wait or run.",
    labelNames: ["function"],
    registers,
    collect(): void {
      this.reset();
      for (const each of sources.functions()) {
        this.set({ function: each.functionName }, each.queueLength);
      }
    },
  });
  new prom.Gauge({
    name: "msp_function_up",
    help: "1 when the function can be called.",
    labelNames: ["function"],
    registers,
    collect(): void {
      this.reset();
      for (const { functionName, state } of sources.functions()) {
        this.set({ function: functionName }, state === "ready" ? 1 : 0);
      }
    },
  });
}
