/**
 * @module
 * The functions of a folder, run by the test's own process without HTTP, with real function processes
 * and with times that a test can wait for.
 */
import assert from "node:assert/strict";
import { toText } from "../lib/functions/wire/bytes.ts";
import { rememberPermissions } from "../lib/config/permissions.ts";
import { settingsFrom } from "../lib/config/settings.ts";
import { FunctionService, type ServiceOptions } from "../lib/functions/service.ts";
import type { CallResult } from "../lib/functions/types.ts";
import { type FunctionSetup, waitUntil, writeModules } from "./functions.ts";
import { run, type TempFolder } from "./program.ts";

/** A service, and what it told its observer. */
export class TestService {
  readonly service: FunctionService;
  /** `fault: …`, `recovered: …`, `reloaded: …`, `exited: …` */
  readonly events: string[] = [];
  readonly #folder: string;

  private constructor(folder: TempFolder, options: ServiceOptions) {
    this.#folder = folder.join("modules");
    const note = (kind: string) => (_: string, what: string) =>
      void this.events.push(`${kind}: ${what.replaceAll(folder.path, "…")}`);
    const { settings } = settingsFrom({ options: [], faults: [] }, "defaults");
    this.service = new FunctionService({
      config: folder.join("config/config.ini"),
      modulesConfig: folder.join("config/modules.ini"),
      modules: folder.join("modules"),
      log: folder.join("log"),
      settings: {
        ...settings,
        store: {
          serverFolder: folder.join("sec"),
          clientsFolder: folder.join("sec"),
          register: folder.join("sec/clients.dev"),
        },
      },
      isHeld: rememberPermissions(),
    }, {
      retryPauses: { firstPauseMs: 20, longestPauseMs: 100 },
      ...options,
      observer: {
        fault: note("fault"),
        recovered: note("recovered"),
        reloaded: note("reloaded"),
        processExited: (reason) => void this.events.push(`exited: ${reason}`),
      },
    });
  }

  /** Serves modules of a folder, and waits until each has loaded or failed, or until one is ready. */
  static async start(
    folder: TempFolder,
    setup: FunctionSetup,
    options: ServiceOptions = {},
    awaited?: string,
  ): Promise<TestService> {
    await writeModules(folder, setup);
    const subject = new TestService(folder, options);
    try {
      await subject.service.start();
      const { functions } = subject.service;
      if (awaited === undefined) await functions.whenSettled();
      else assert.ok((await functions.call(awaited)).ok);
    } catch (error) {
      await subject.service.close();
      throw error;
    }
    return subject;
  }

  /** Calls a function that must have a result. */
  async call(name: string, params?: string): Promise<string> {
    const result = await this.result(name, params);
    assert.ok(result.ok, JSON.stringify(result));
    return toText(result.bytes);
  }

  async result(name: string, params?: string): Promise<CallResult> {
    return await this.service.functions.call(name, { params });
  }

  /** Waits until a call gives a text. */
  async waitForAnswer(name: string, text: string): Promise<void> {
    await waitUntil(async () => {
      const result = await this.result(name);
      return result.ok && toText(result.bytes) === text;
    }, `${name} answers ${text}`);
  }

  /** Waits until something was told; gives it. */
  async waitForEvent(pattern: RegExp): Promise<string> {
    await waitUntil(
      () => Promise.resolve(this.events.some((each) => pattern.test(each))),
      `${pattern} in ${JSON.stringify(this.events)}`,
    );
    return this.events.find((each) => pattern.test(each)) ?? "";
  }

  /** How often something was told. */
  count(pattern: RegExp): number {
    return this.events.filter((each) => pattern.test(each)).length;
  }

  /**
   * Process numbers of the function hosts. Other test files run in the same process, and have children of
   * their own: those that may read this folder are meant.
   */
  async hosts(): Promise<number[]> {
    const { out } = await run(
      ["ps", "-ww", "-o", "pid=,args=", "--ppid", String(Deno.pid)],
      { cwd: "." },
    );
    return out.split("\n").filter((line) => line.includes(this.#folder)).map((line) =>
      parseInt(line)
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.service.close();
    await waitUntil(
      () => Promise.resolve(this.service.functions.processCount === 0),
      "all processes have ended",
    );
  }
}
