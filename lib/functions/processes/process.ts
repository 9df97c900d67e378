/**
 * @module
 * How this program starts itself: as a function host, as a stage before it, or to register a client.
 */

/** How this program is started. */
export interface ProgramCommand {
  readonly program: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  readonly gid?: number;
  /** What it reads before the messages of the server. */
  readonly input?: string;
  /** A process that was started with this command already, and waits for its input. */
  readonly started?: Deno.ChildProcess | undefined;
}

/** How a host is started. */
export interface HostCommand extends ProgramCommand {
  /** Whether it runs one function, in its main thread. */
  readonly isLone: boolean;
  /** Memory that it may take beyond its start. */
  readonly maxGrowthBytes: number;
}

/**
 * Starts a process whose input and output are pipes, unless it was started already.
 *
 * @throws {Deno.errors} when it cannot be started.
 */
export function startProcess(
  { program, args, env, uid, gid, started }: ProgramCommand,
): Deno.ChildProcess {
  return started ?? new Deno.Command(program, {
    args: [...args],
    env: { ...env },
    clearEnv: true,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
  }).spawn();
}
