/**
 * @module
 * Several servers on one key store that share a Redis server, as docs/cluster.md describes them.
 */
import assert from "node:assert/strict";
import { writeModules } from "./functions.ts";
import { freePort, ServerProcess, type TempFolder } from "./program.ts";
import { postTo } from "./registered.ts";

/** One replica: on the same port after each start. */
export class Replica {
  readonly #folder: TempFolder;
  readonly #number: number;
  readonly port = freePort();
  #server: ServerProcess | undefined;
  #earlierLog = "";

  constructor(folder: TempFolder, number: number) {
    this.#folder = folder;
    this.#number = number;
  }

  get server(): ServerProcess {
    assert.ok(this.#server !== undefined, "the replica does not run");
    return this.#server;
  }

  /** What went wrong, since the first start. */
  get faults(): string {
    const lines = `${this.#earlierLog}${this.#server?.err ?? ""}`.split("\n");
    return lines.filter((line) => /Refused|Cannot|ERROR/.test(line)).slice(-20).join("\n");
  }

  /** Starts it and waits until its functions have loaded. */
  async start(env: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#server = await ServerProcess.startListening({
      cwd: this.#folder.path,
      args: ["--host", "127.0.0.1", "--port", `${this.port}`, "--log-dir", `log-${this.#number}`],
      env: { MSP_STATEPATH: `state-${this.#number}`, ...env },
    });
    await this.#server.waitForLog(/INFO functions: Functions: /);
  }

  /** The status and the text of a path of the admin address. */
  async admin(path: string): Promise<{ status: number; text: string }> {
    const origin = /Health and metrics on (\S+)/.exec(this.server.err)?.[1];
    const response = await fetch(`${origin}${path}`);
    return { status: response.status, text: await response.text() };
  }

  /** The sum of a metric over all its labels that match. */
  async metric(name: string, labels = /^/): Promise<number> {
    const { text } = await this.admin("/metrics");
    const lines = [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, "gm"))];
    return lines.filter(([, found = ""]) => labels.test(found))
      .reduce((sum, [, , value]) => sum + Number(value), 0);
  }

  /** Whether a proxy should send it requests. */
  async isReady(): Promise<boolean> {
    return (await this.admin("/readyz")).status === 200;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    assert.equal(await server?.stop() ?? 0, 0, server?.err);
    this.#earlierLog += server?.err ?? "";
    this.#server = undefined;
  }

  async kill(): Promise<void> {
    this.server.signal("SIGKILL");
    await this.server.status();
    this.#server = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** How replicas are set up. */
export interface ReplicaSetup {
  readonly redisPort: number;
  /** In the URL of Redis. */
  readonly user?: string;
  /** Name of the section that names Redis. */
  readonly section?: string;
  /** Lines of that section, and further sections. */
  readonly config?: string;
  readonly modules: Readonly<Record<string, string>>;
  readonly count?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts replicas on a key store that is there. */
export async function startReplicas(
  folder: TempFolder,
  { redisPort, user, section = "Cluster", config = "", modules, count = 3, env = {} }: ReplicaSetup,
): Promise<Replica[]> {
  await folder.write(
    "config/config.ini",
    `[Admin]\nListen=127.0.0.1:0\n[${section}]\nRedis=redis://${
      user === undefined ? "" : `${user}@`
    }127.0.0.1:${redisPort}\n${config}`,
  );
  await writeModules(folder, { modules });
  const replicas = Array.from({ length: count }, (_, i) => new Replica(folder, i + 1));
  await Promise.all(replicas.map((replica) => replica.start(env)));
  return replicas;
}

/** Functions of replicas: one that answers at once, and one that takes its time. */
export const MODULES = {
  once: "export const entry_call = ({ params }) => params?.n ?? 'ran';",
  slow:
    "export const entry_call = () => new Promise((done) => setTimeout(() => done('ran'), 300));",
};
/** A machine that runs other tests as well may need longer for a command than 250 ms. */
export const PATIENT = "Timeout=10000\n";

/** Stops all of them. */
export async function stopAll(replicas: readonly Replica[]): Promise<void> {
  await Promise.all(replicas.map((replica) => replica.stop()));
}

/** One of several, by chance. */
export function pick<T>(all: readonly T[]): T {
  const one = all[Math.floor(Math.random() * all.length)];
  assert.ok(one !== undefined);
  return one;
}

/** The status of a request; -1 where there was no answer. */
export async function statusOf(url: string, body: string): Promise<number> {
  const response = await postTo(url, body).catch(() => undefined);
  await response?.body?.cancel();
  return response?.status ?? -1;
}
