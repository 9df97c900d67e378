/**
 * @module
 * A function that has its process to itself, in the main thread: a worker would take 10 MB more, and
 * make the start longer. It reads and writes the pipes of the process itself. What a main thread
 * elsewhere watches while the function computes, the kernel and the server watch here: memory
 * (wall/limits.ts), whether the process says anything (processes/life_signs.ts), and that it ends with
 * the server.
 */
import { keepOnly } from "../../config/permissions.ts";
import { FROM_HOST_HEAD, ResultWriter, writeHead } from "../wire/frames.ts";
import type { HostedFunction, HostSetup } from "../wire/messages.ts";
import { HostedModule, type ModuleEvents } from "./hosted_module.ts";
import { bytesOfHex, type FrameInput, writeAll } from "./pipes.ts";
import { giveLifeSigns, type Tell, watchCpu, watchMemory } from "./self_watch.ts";

/** What only the main thread of a program has; in a worker, no function finds it either. */
const MAIN_THREAD_ONLY = ["alert", "confirm", "prompt", "localStorage", "sessionStorage"];

/** The kernel holds what grows faster. */
const MEMORY_INTERVAL_MS = 1000;

/** What a lone function works with. */
export interface LoneParts {
  readonly setup: HostSetup;
  /** Of the function, at the server. */
  readonly number: number;
  readonly hosted: HostedFunction;
  readonly input: FrameInput;
  readonly tell: Tell;
}

/** Runs a function until the server closes the input. */
export async function runLoneFunction(parts: LoneParts): Promise<void> {
  const { setup: { maxGrowthBytes, lifeSignMs }, number, hosted, input, tell } = parts;
  const mostBytes = Deno.memoryUsage().rss + maxGrowthBytes;
  watchMemory({ everyMs: MEMORY_INTERVAL_MS, mostBytes: () => mostBytes }, tell);
  watchCpu(tell);
  giveLifeSigns(lifeSignMs, tell);
  for (const name of MAIN_THREAD_ONLY) Reflect.deleteProperty(globalThis, name);
  const module = new HostedModule(hosted, eventsOf(parts));
  keepOnly(hosted.permissions);
  tell(["loading", number]);
  void module.load();
  await input.run(({ kind, payload }) => module.receive(kind, payload));
}

function eventsOf({ setup: { markHex }, number, tell }: LoneParts): ModuleEvents {
  const stdout = { writeSync: Deno.stdout.writeSync.bind(Deno.stdout) };
  const mark = bytesOfHex(markHex);
  const reply = new ResultWriter((out) => {
    writeHead(out, mark, number);
    writeAll(stdout, out.written);
  }, FROM_HOST_HEAD);
  return {
    loaded: (about) => tell(["loaded", number, about]),
    failed: (kind, why) => tell(["failed", number, kind, why]),
    output: (level, text) => tell(["output", number, level, text]),
    leftOut: (count) => tell(["left out", number, count]),
    reply,
  };
}
