/**
 * @module
 * Memory of a process, from outside.
 */

/** Megabytes that a process has in memory. */
export async function residentMegabytes(pid: number): Promise<number> {
  // The platform reads /proc with full permissions only.
  const ps = new Deno.Command("ps", { args: ["-o", "rss=", "-p", String(pid)] });
  return Number(new TextDecoder().decode((await ps.output()).stdout)) / 1024;
}
