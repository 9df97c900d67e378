/**
 * @module
 * The observer that counts, in Prometheus' text format (`prom-client`). No label says who a client is:
 * codes of refusals, names of functions from modules.ini, and nothing else.
 */
import type { Counter, Histogram, Registry } from "prom-client";
import type { WelcomeStatus } from "../client/messages.ts";
import type {
  Answered,
  Called,
  FaultyPart,
  Observer,
  ReachedLimit,
  RedisOutcome,
  Refused,
  Reloaded,
} from "./observer.ts";
import type { ClaimsFill } from "./replay/claims.ts";
import { VERSION } from "./version.ts";

/** Values that are read when somebody asks for the metrics. */
export interface MetricSources {
  readonly requestsInFlight: () => number;
  readonly registeredClients: () => number;
  readonly registeredSecrets: () => number;
  /** Milliseconds of searching all keys for senders. */
  readonly searchMs: () => number;
  readonly claims: () => ClaimsFill;
  /** Tickets of protocol v2 that were used; nothing when it is off. */
  readonly tickets: () => { readonly tickets: number; readonly bytes: number } | undefined;
  /** Whether Redis can be asked; nothing without `[Cluster]`. */
  readonly isRedisUp: (() => boolean) | undefined;
  readonly functions: () => readonly {
    readonly functionName: string;
    readonly state: "loading" | "ready" | "broken";
    readonly queueLength: number;
  }[];
}

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

/** Counts what happens. */
export class Metrics implements Observer {
  readonly #prom: Library;
  readonly #registry: Registry;
  readonly #requests: Counter<"protocol" | "outcome" | "reason">;
  readonly #durations: Histogram<"outcome">;
  readonly #calls: Counter<"function" | "outcome">;
  readonly #hellos: Counter<"status">;
  readonly #reloads: Counter<"what">;
  readonly #limits: Counter<"limit">;
  readonly #faults: Counter<"part">;
  readonly #exits: Counter;
  readonly #redisConnections: Counter;
  readonly #redisDurations: Histogram<"outcome">;
  readonly #acceptedAlone: Counter;

  private constructor(prom: Library) {
    const registry = new prom.Registry();
    const counter = <T extends string>(name: string, help: string, labelNames: T[]): Counter<T> =>
      new prom.Counter({ name, help, labelNames, registers: [registry] });
    this.#prom = prom;
    this.#registry = registry;
    this.#requests = counter(
      "msp_requests_total",
      "Requests by protocol and outcome; only this and the log have the reason of a refusal.",
      ["protocol", "outcome", "reason"],
    );
    this.#durations = new prom.Histogram({
      name: "msp_request_duration_seconds",
      help: "Time from the head of a request to its outcome, without the delay of refusals.",
      labelNames: ["outcome"],
      buckets: BUCKETS,
      registers: [registry],
    });
    this.#calls = counter("msp_function_calls_total", "Function calls by outcome.", [
      "function",
      "outcome",
    ]);
    this.#hellos = counter(
      "msp_hellos_total",
      "Handshakes of registered clients in protocol v2, by the status of the welcome.",
      ["status"],
    );
    this.#reloads = counter("msp_reloads_total", "Changes on disk that are in use.", ["what"]);
    this.#limits = counter("msp_limits_reached_total", "Entries that a full table dropped early.", [
      "limit",
    ]);
    this.#faults = counter("msp_faults_total", "Failures in parts that go on and try again.", [
      "part",
    ]);
    this.#exits = counter("msp_function_process_ends_total", "Function processes that exited.", []);
    this.#redisConnections = counter(
      "msp_redis_connections_total",
      "Connections to Redis: the first one, and one for each reconnect.",
      [],
    );
    this.#redisDurations = new prom.Histogram({
      name: "msp_redis_command_duration_seconds",
      help: "Time from a command to its reply, by outcome: ok, error, timeout.",
      labelNames: ["outcome"],
      buckets: BUCKETS.filter((seconds) => seconds <= 0.5),
      registers: [registry],
    });
    this.#acceptedAlone = counter(
      "msp_accepted_alone_total",
      "Requests that were accepted without Redis ([Cluster] OnFailure=local).",
      [],
    );
  }

  /** Loads the library, which a server without an admin address does not need. */
  static async load(): Promise<Metrics> {
    // CommonJS: the names of its exports are lost where it is bundled.
    const { default: library } = await import("prom-client");
    return new Metrics(library);
  }

  /** Adds values that are read when somebody asks. */
  addSources(sources: MetricSources): void {
    addGauges(this.#prom, this.#registry, sources);
  }

  answered({ protocol, durationMs }: Answered): void {
    this.#requests.inc({ protocol, outcome: "answered", reason: "" });
    this.#durations.observe({ outcome: "answered" }, durationMs / 1000);
  }

  refused({ protocol, code, durationMs }: Refused): void {
    this.#requests.inc({ protocol, outcome: "refused", reason: code });
    this.#durations.observe({ outcome: "refused" }, durationMs / 1000);
  }

  called({ functionName, refusal }: Called): void {
    if (functionName === undefined) return;
    this.#calls.inc({ function: functionName, outcome: refusal?.replace("function_", "") ?? "ok" });
  }

  barred(): void {}

  welcomed(status: WelcomeStatus): void {
    this.#hellos.inc({ status });
  }

  inviteUsed(): void {}

  newAddress(): void {}

  reloaded(what: Reloaded): void {
    this.#reloads.inc({ what });
  }

  storeLoaded(): void {}

  limitReached(limit: ReachedLimit): void {
    this.#limits.inc({ limit });
  }

  fault(part: FaultyPart): void {
    this.#faults.inc({ part });
  }

  recovered(): void {}

  processExited(): void {
    this.#exits.inc();
  }

  redisConnected(): void {
    this.#redisConnections.inc();
  }

  redisAsked(outcome: RedisOutcome, durationMs: number): void {
    this.#redisDurations.observe({ outcome }, durationMs / 1000);
  }

  acceptedAlone(): void {
    this.#acceptedAlone.inc();
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
    "Time spent searching all keys for senders.",
    () => sources.searchMs() / 1000,
  );
  gauge(
    "msp_used_tickets",
    "Tickets of protocol v2 whose calls are remembered.",
    () => sources.tickets()?.tickets ?? 0,
  );
  gauge(
    "msp_used_tickets_bytes",
    "Memory of the numbers of these calls.",
    () => sources.tickets()?.bytes ?? 0,
  );
  const { isRedisUp } = sources;
  if (isRedisUp !== undefined) {
    gauge("msp_redis_up", "1 while Redis can be asked.", () => isRedisUp() ? 1 : 0);
  }
  const started = Date.now() / 1000;
  gauge("process_start_time_seconds", "Start of the process, Unix time.", () => started);
  gauge(
    "process_resident_memory_bytes",
    "Memory of the server, without its function processes.",
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
      help: `Slots of the replay memory: ${kind}.`,
      labelNames: ["table"],
      registers,
      collect(): void {
        const { window, entries } = sources.claims();
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
