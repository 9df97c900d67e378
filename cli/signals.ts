/**
 * @module
 * Signals that the program must not react to in Deno's way: on SIGUSR1, Deno opens its debugger (2.9)
 * or exits (2.4).
 */

/** Ignores signals, as far as the system has them. */
export function ignoreSignals(...signals: readonly Deno.Signal[]): void {
  const known = signals.filter((signal) => Deno.build.os !== "windows" || signal === "SIGINT");
  for (const signal of known) Deno.addSignalListener(signal, () => {});
}
