/**
 * @module
 * Processor time and memory of processes, as Linux counts them. Deno reads /proc with full permissions
 * only, so `cat` reads it.
 */

/** Linux counts in ticks of 1/100 s in /proc, whatever the clock of the kernel is. */
const MICROS_PER_TICK = 10_000;

/** A process and the processor time that all its threads have used, ended ones included. */
export interface ProcessTimes {
  readonly pid: number;
  readonly parent: number;
  readonly cpuMicros: number;
}

/** Processor times at one moment. */
export interface Times {
  readonly processes: readonly ProcessTimes[];
  /** Processor time of the whole machine that was not idle; includes what a hypervisor took away. */
  readonly busyMicros: number;
}

/** Reads the processor times of every process. */
export async function readTimes(): Promise<Times> {
  // Processes end between the listing and the reading.
  return parseTimes(await shell("head -n 1 /proc/stat; cat /proc/[0-9]*/stat 2>/dev/null; true"));
}

/**
 * Parses the first line of /proc/stat, followed by the lines of /proc/PID/stat (proc(5)).
 */
export function parseTimes(text: string): Times {
  const [first = "", ...lines] = text.split("\n");
  const [user = 0, nice = 0, system = 0, _idle, _wait, ...more] = first.split(/\s+/).slice(1)
    .map(Number);
  const [interrupts = 0, softInterrupts = 0, stolen = 0] = more;
  const busyTicks = user + nice + system + interrupts + softInterrupts + stolen;
  // A name may hold spaces and parentheses: the fields begin after the last parenthesis.
  const processes = lines.flatMap((line) => {
    const [, pid, rest = ""] = /^(\d+) \(.*\) (.*)$/.exec(line) ?? [];
    if (pid === undefined) return [];
    const fields = rest.split(" ");
    const ticks = Number(fields[11]) + Number(fields[12]);
    return [{ pid: Number(pid), parent: Number(fields[1]), cpuMicros: ticks * MICROS_PER_TICK }];
  });
  return { processes, busyMicros: busyTicks * MICROS_PER_TICK };
}

/** A process and all its descendants, the process first, the others by number. */
export function treeOf(root: number, processes: readonly ProcessTimes[]): ProcessTimes[] {
  const tree = processes.filter(({ pid }) => pid === root);
  for (const { pid } of tree) tree.push(...processes.filter(({ parent }) => parent === pid));
  return [...tree.slice(0, 1), ...tree.slice(1).toSorted((a, b) => a.pid - b.pid)];
}

/**
 * Megabytes that belong to a process: its own pages, and its share of those that it has in common with
 * others (PSS).
 */
export async function proportionalMegabytes(pid: number): Promise<number> {
  const text = await shell(`cat /proc/${pid}/smaps_rollup`);
  const [, kilobytes] = /^Pss:\s+(\d+) kB$/m.exec(text) ?? [];
  if (kilobytes === undefined) throw new Error(`process ${pid} shows no memory`);
  return Number(kilobytes) / 1024;
}

/** Descriptors that a process has open. */
export async function openDescriptors(pid: number): Promise<number> {
  return Number(await shell(`ls /proc/${pid}/fd | wc -l`));
}

/** Numbers of the processes that a process started. */
export async function childrenOf(pid: number): Promise<number[]> {
  const text = await shell(`ps -o pid= --ppid ${pid}`);
  return text.split("\n").filter((line) => line.trim() !== "").map(Number);
}

async function shell(script: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  return new TextDecoder().decode(stdout);
}
