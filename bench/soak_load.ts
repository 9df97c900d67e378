/**
 * @module
 * The load of the soak test: calls that must be answered while nothing is wrong, and everything that
 * disturbs them: unknown senders, malformed requests, stalled connections, changes of modules and clients.
 */
import { join } from "node:path";
import { callV1 } from "../client/v1.ts";
import { formatKey } from "../lib/crypto/keys.ts";
import { generateKeyPair } from "../lib/crypto/nacl.ts";
import { pause } from "./faults.ts";
import { type BenchStore, sealRequests } from "./store.ts";

/** How long a call may take; one that a killed process had is answered at once. */
const CALL_TIMEOUT_MS = 20_000;

/** Load on a server, and what came of it. */
export class Load {
  /** Whether nothing is wrong: then every call must be answered. */
  isCalm = false;
  readonly counts = { calls: 0, failed: 0, refused: 0, changes: 0, registrations: 0 };
  readonly #url: string;
  readonly #store: BenchStore;
  readonly #problems = new Set<string>();
  #isOver = false;

  constructor(url: string, store: BenchStore) {
    this.#url = url;
    this.#store = store;
  }

  /** Calls a function once. @throws {CallError} when it is not answered. */
  async call(functionName: string): Promise<void> {
    const { senders, server, secret } = this.#store;
    const { privateKey } = senders[this.counts.calls++ % senders.length] ?? server;
    const keys = {
      privateKey: formatKey(privateKey),
      secret,
      serverKey: formatKey(server.publicKey),
    };
    await callV1({ url: this.#url, functionName, keys, timeoutMs: CALL_TIMEOUT_MS });
  }

  /** Starts everything. @returns what ends it and waits for the end. */
  start(home: string, line: readonly string[]): () => Promise<void> {
    const lanes = [
      this.#repeat(2, () => this.call("time_test"), 4),
      this.#repeat(5, () => this.call("alone")),
      this.#repeat(20, () => this.#annoy()),
      this.#repeat(100, () => this.#stall(), 10),
      this.#repeat(3000, () => this.#change(home)),
      this.#repeat(2000, () => this.#administer(home, line)),
    ];
    return async () => {
      this.#isOver = true;
      await Promise.all(lanes);
    };
  }

  /** What failed while nothing was wrong. */
  problems(): readonly string[] {
    return [...this.#problems];
  }

  /** Repeats an action. What fails counts when nothing is wrong before and after it. */
  async #repeat(pauseMs: number, action: () => Promise<void>, lanes = 1): Promise<void> {
    if (lanes > 1) {
      await Promise.all(Array.from({ length: lanes }, () => this.#repeat(pauseMs, action)));
      return;
    }
    while (!this.#isOver) {
      const wasCalm = this.isCalm;
      try {
        await action();
      } catch (error) {
        this.counts.failed++;
        if (wasCalm && this.isCalm) {
          this.#problems.add(error instanceof Error ? error.message : String(error));
        }
      }
      await pause(pauseMs);
    }
  }

  async #annoy(): Promise<void> {
    const [stranger = ""] = sealRequests(this.#store, [generateKeyPair()], 1);
    const noise = crypto.getRandomValues(new Uint8Array(1000)).join(",");
    for (const body of [stranger, "[".repeat(Math.floor(Math.random() * 10_000)), noise]) {
      await this.refuse(body);
    }
  }

  /** Sends a request that must be refused. */
  async refuse(body: string): Promise<void> {
    const headers = { "content-type": "application/json" };
    const response = await fetch(this.#url, { method: "POST", body, headers });
    await response.body?.cancel();
    if (response.status !== 401) throw new Error(`status ${response.status} for a bad request`);
    this.counts.refused++;
  }

  /** Opens a connection that sends a part of a request, and leaves it for a while. */
  async #stall(): Promise<void> {
    const port = Number(new URL(this.#url).port);
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Le"));
    await pause(500);
  }

  async #change(home: string): Promise<void> {
    const code = `export const entry_call = () => ${++this.counts.changes};\n`;
    await Deno.writeTextFile(join(home, "modules/f.js"), code);
  }

  async #administer(home: string, line: readonly string[]): Promise<void> {
    const key = formatKey(generateKeyPair().publicKey);
    for (const args of [["appendclient", key], ["removeclient", key, "--yes"]]) {
      const [program = "", ...rest] = [...line, ...args];
      const options = { args: rest, cwd: home, stdin: "null" } as const;
      const { success, stderr } = await new Deno.Command(program, options).output();
      if (!success) throw new Error(new TextDecoder().decode(stderr));
    }
    this.counts.registrations++;
  }
}
