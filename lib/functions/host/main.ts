/**
 * @module
 * The function host: the process in which functions run. A function that has it to itself runs in the
 * main thread; otherwise each runs in workers of its own. It ends when its standard input ends, that is,
 * with the server.
 */
import type { FromHost, HostSetup, ToHost } from "../wire/messages.ts";
import { type Frame, FrameInput, jsonOf, writeAll } from "./pipes.ts";

const encoder = new TextEncoder();

/**
 * Runs functions until the standard input ends.
 *
 * @returns the exit code: 2 when it was not started by a server.
 */
export async function runFunctionHost(): Promise<number> {
  // The function's own pipes will be others.
  const { stdin, stderr } = Deno;
  const input = new FrameInput({
    read: stdin.read.bind(stdin),
    readSync: stdin.readSync.bind(stdin),
  });
  const errors = { writeSync: stderr.writeSync.bind(stderr) };
  const setup = parseSetup(input.readNow());
  if (setup === undefined) return 2;
  const tell = (message: FromHost): void => {
    // The line end in front: somebody may have written half a line to the same descriptor.
    writeAll(errors, encoder.encode(`\n${setup.token}${JSON.stringify(message)}\n`));
  };
  if (!setup.isLone) {
    const { WorkerHost } = await import("./worker_host.ts");
    const host = new WorkerHost(setup, tell);
    await input.run((frame) => host.receive(frame));
    return 0;
  }
  const frame = input.readNow();
  const message = frame && jsonOf<ToHost>(frame);
  if (message?.[0] !== "load") return 0;
  const { runLoneFunction } = await import("./lone_function.ts");
  const [, number, hosted] = message;
  await runLoneFunction({ setup, number, hosted, input, tell });
  return 0;
}

function parseSetup(frame: Frame | undefined): HostSetup | undefined {
  try {
    const setup = frame && jsonOf<HostSetup>(frame);
    return typeof setup?.token === "string" ? setup : undefined;
  } catch {
    return undefined;
  }
}
