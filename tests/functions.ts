/**
 * @module
 * Servers with functions of a test, and a look at the processes that they started.
 */
import assert from "node:assert/strict";
import type { TestClient } from "./v1_client.ts";
import { run, ServerProcess, type TempFolder } from "./program.ts";
import { callServer, registerClient } from "./registered.ts";

/** What a test wants to be served. */
export interface FunctionSetup {
  /** Code by name; the name is that of the function and of the file (with `.js` if it has no ending). */
  readonly modules: Readonly<Record<string, string>>;
  /** What follows [Modules] in modules.ini. */
  readonly sections?: string;
  readonly config?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Number of the user that the server runs as; that needs root. */
  readonly user?: number;
  /** A program and its arguments, which becomes the server. */
  readonly wrap?: readonly string[];
}

/** A server, a client of it, and how that client calls. */
export class FunctionServer {
  private constructor(
    readonly folder: TempFolder,
    readonly server: ServerProcess,
    readonly client: TestClient,
  ) {}

  /** Starts a server and waits until each function has loaded or failed. */
  static async start(folder: TempFolder, setup: FunctionSetup): Promise<FunctionServer> {
    const client = await registerClient(folder);
    if (setup.config !== undefined) await folder.write("config/config.ini", setup.config);
    await writeModules(folder, setup);
    const { env = {}, wrap = [], user } = setup;
    if (user !== undefined) {
      const { code, err } = await run(["chown", "-R", `${user}:${user}`, folder.path], {
        cwd: ".",
      });
      assert.equal(code, 0, err);
    }
    const as = user === undefined
      ? []
      : ["/usr/bin/setpriv", "--reuid", `${user}`, "--regid", `${user}`, "--clear-groups", "--"];
    const server = await ServerProcess.start({ cwd: folder.path, env, wrap: [...as, ...wrap] });
    await server.waitForLog(/INFO functions: Functions: /);
    return new FunctionServer(folder, server, client);
  }

  /** The answer, or the status when there is none. */
  async call(name: string): Promise<string | number> {
    return await callServer(this.server.url, this.client, name);
  }

  /** Process numbers of the function hosts. */
  async hosts(): Promise<number[]> {
    return await childrenOf(this.server.pid);
  }

  /** Waits until a call gives an answer. */
  async waitForAnswer(name: string, answer: string | number): Promise<void> {
    await waitUntil(async () => await this.call(name) === answer, `${name} answers ${answer}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
  }
}

/** Writes modules and modules.ini. */
export async function writeModules(folder: TempFolder, setup: FunctionSetup): Promise<void> {
  const { modules, sections = "" } = setup;
  for (const [name, code] of Object.entries(modules)) {
    await folder.write(`modules/${name.includes(".") ? name : `${name}.js`}`, code);
  }
  const names = Object.keys(modules).map((name) => name.replace(/\.\w+$/, ""));
  const lines = names.map((name) => `${name}=${name}\n`).join("");
  await folder.write("config/modules.ini", `[Modules]\n${lines}${sections}`);
}

/** Process numbers of the children of a process. */
export async function childrenOf(pid: number): Promise<number[]> {
  const { out } = await run(["ps", "-o", "pid=", "--ppid", String(pid)], { cwd: "." });
  return out.split("\n").filter((line) => line.trim() !== "").map(Number);
}

/** Whether a process is there, and no mere entry that waits for its parent. */
export async function isAlive(pid: number): Promise<boolean> {
  const { out } = await run(["ps", "-o", "stat=", "-p", String(pid)], { cwd: "." });
  return out.trim() !== "" && !out.startsWith("Z");
}

/** Waits until something is so; fails after 20 s. */
export async function waitUntil(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!await isSo()) {
    assert.ok(performance.now() < end, `not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
