/**
 * @module
 * What takes long at the start of functions, and needs neither the key store nor a module: finding out
 * what the kernel holds back, and stage 1 of the first host. A server begins with both before it does
 * anything else.
 */
import { readHeldEnv, rememberPermissions } from "../../config/permissions.ts";
import { startProcess } from "../processes/process.ts";
import type { WallCheck } from "./check.ts";
import { stageCommand, stageEnv, type StageOptions } from "./command.ts";
import { askStage, probeWall } from "./probe.ts";

/** A process of stage 1 that waits for what it is told, as the user of this process. */
export type EarlyStage = Deno.ChildProcess;

/**
 * Starts one before anything is known or loaded: it takes as long to start as the program to load the
 * rest. If nobody takes it, it ends with this process.
 */
export function startEarly(): EarlyStage | undefined {
  if (Deno.build.os !== "linux") return undefined;
  const isHeld = rememberPermissions();
  return startStage({ env: stageEnv((name) => readHeldEnv(isHeld, name)), user: undefined });
}

/** What a head start is made with. */
export interface HeadStartOptions extends StageOptions {
  /** What {@link startEarly} gave. */
  readonly early?: EarlyStage | undefined;
}

/** The head start of a server's functions. */
export class HeadStart {
  /** What the kernel holds back, as far as it is known; or why stage 1 does not work here. */
  readonly check: Promise<WallCheck | string>;
  #stage: Deno.ChildProcess | undefined;

  constructor({ early, ...options }: HeadStartOptions) {
    if (early !== undefined && options.user === undefined) {
      this.#stage = early;
      this.check = askStage(early);
    } else {
      if (early !== undefined) void end(early);
      this.check = probeWall(options);
      if (Deno.build.os === "linux") this.#stage = startStage(options);
    }
    // Whoever waits for it reports it.
    this.check.catch(() => {});
  }

  /** A process of stage 1 that waits for its policy; only the first caller gets it. */
  takeStage(): Deno.ChildProcess | undefined {
    const stage = this.#stage;
    this.#stage = undefined;
    return stage;
  }

  /** Ends the process if nobody took it. */
  async close(): Promise<void> {
    const stage = this.takeStage();
    if (stage !== undefined) await end(stage);
  }
}

function startStage(options: StageOptions): Deno.ChildProcess | undefined {
  try {
    return startProcess(stageCommand(options));
  } catch {
    // The probe fails for the same reason, and tells it.
    return undefined;
  }
}

async function end(stage: Deno.ChildProcess): Promise<void> {
  try {
    stage.kill("SIGKILL");
  } catch {
    // It has exited.
  }
  await Promise.all([
    stage.stdin.close().catch(() => {}),
    // It may be asked at the moment.
    stage.stdout.cancel().catch(() => {}),
    stage.stderr.cancel().catch(() => {}),
    stage.status,
  ]);
}
