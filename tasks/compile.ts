/**
 * @module
 * Builds the executable dist/msp with the permissions of the `msp` task. Further arguments go to
 * `deno compile`: `--target`, `--output`, or paths to grant (`--allow-read=/srv/keys`).
 */
import { programFlags } from "./flags.ts";

const OUTPUT = "dist/msp";
/** Flags that may be given once only; a path given by hand is added to the list. */
const LIST_FLAG = /^(--allow-(?:read|write|env|net))=(.*)$/;

/** Appends paths that were given by hand to the flags of the task. */
function mergeFlags(flags: readonly string[], extra: readonly string[]): string[] {
  const merged = [...flags];
  for (const word of extra) {
    const [, name, list] = LIST_FLAG.exec(word) ?? [];
    const index = merged.findIndex((flag) => name !== undefined && flag.startsWith(`${name}=`));
    if (index < 0) merged.push(word);
    else merged[index] += `,${list}`;
  }
  return merged;
}

if (import.meta.main) {
  const flags = mergeFlags(await programFlags(), Deno.args);
  const hasOutput = Deno.args.some((word) => /^(-o|--output)(=|$)/.test(word));
  const { code } = await new Deno.Command(Deno.execPath(), {
    // No code cache: it would lie in /tmp, where others may write.
    args: [
      "compile",
      "--no-code-cache",
      "--frozen",
      // Workers of the function host are started by name, which the compiler does not see.
      "--include",
      "lib/functions/host/worker.ts",
      ...flags,
      ...hasOutput ? [] : ["--output", OUTPUT],
      "main.ts",
    ],
    cwd: new URL("../", import.meta.url),
  }).spawn().status;
  Deno.exit(code);
}
