/**
 * @module
 * Builds the executable dist/msp with the permissions of the `msp` task, and FFI for the C library.
 * Further arguments go to `deno compile`: `--target`, `--output`, or paths to grant
 * (`--allow-read=/srv/keys`).
 */
import { LIBC_PATHS } from "../lib/functions/wall/libc.ts";
import { programFlags } from "./flags.ts";

const OUTPUT = "dist/msp";
/** Variables that are built in. */
const BUILD_ENV = new URL("../dist/build.env", import.meta.url);
/** Flags that may be given once only; a path given by hand is added to the list. */
const LIST_FLAG = /^(--allow-(?:read|write|env|net|run))=(.*)$/;

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

/** The commit that is built, with a mark when files differ from it; "unknown" outside of git. */
async function describeCommit(): Promise<string> {
  const given = Deno.env.get("MSP_COMMIT");
  if (given !== undefined && given !== "") return given;
  const args = ["describe", "--always", "--dirty", "--exclude", "*"];
  const cwd = new URL("../", import.meta.url);
  const git = await new Deno.Command("git", { args, cwd, stderr: "null" }).output()
    .catch(() => undefined);
  return git?.success === true ? new TextDecoder().decode(git.stdout).trim() : "unknown";
}

if (import.meta.main) {
  await Deno.mkdir(new URL("../dist", import.meta.url), { recursive: true });
  await Deno.writeTextFile(BUILD_ENV, `MSP_COMMIT=${await describeCommit()}\n`);
  const flags = mergeFlags(programFlags(), Deno.args);
  const hasOutput = Deno.args.some((word) => /^(-o|--output)(=|$)/.test(word));
  const { code } = await new Deno.Command(Deno.execPath(), {
    // No code cache: it would lie in /tmp, where others may write.
    args: [
      "compile",
      "--no-code-cache",
      "--frozen",
      `--env-file=${BUILD_ENV.pathname}`,
      // Workers of the function host are started by name, which the compiler does not see.
      "--include",
      "lib/functions/host/worker.ts",
      ...flags,
      // For stage 1 of a function host alone: every other command gives it up first.
      `--allow-ffi=${LIBC_PATHS}`,
      ...hasOutput ? [] : ["--output", OUTPUT],
      "main.ts",
    ],
    cwd: new URL("../", import.meta.url),
    // The compiler of 2.4.2 walks through prom-client's modules one inside the other.
    env: { RUST_MIN_STACK: "16777216" },
  }).spawn().status;
  Deno.exit(code);
}
