/**
 * @module
 * Builds the executable dist/msp with the permissions of the `msp` task, and FFI for the C library.
 * Further arguments go to `deno compile`: `--target`, `--output`, or paths to grant
 * (`--allow-read=/srv/keys`). MSP_COMPILER names another Deno that compiles; bundling needs 2.5 or newer.
 */
import { join } from "node:path";
import { runTool, temporaryFolder, type Tool } from "../bench/tool.ts";
import { LIBC_PATHS } from "../lib/functions/wall/libc.ts";
import { type Place, programFlags } from "./flags.ts";
import { readConfig } from "./packages.ts";
import { bundleProgram } from "./program.ts";
import { repositoryPath } from "./root.ts";

const OUTPUT = "dist/msp";
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
  const git = await new Deno.Command("git", { args, cwd: repositoryPath(), stderr: "null" })
    .output()
    .catch(() => undefined);
  return git?.success === true ? new TextDecoder().decode(git.stdout).trim() : "unknown";
}

/** For which system the executable is. */
function systemOf(args: readonly string[]): Place {
  const index = args.findIndex((word) => /^--target(?:=|$)/.test(word));
  const target = args[index]?.split("=")[1] ?? args[index + 1] ?? "";
  const isLinux = index < 0 ? Deno.build.os === "linux" : target.includes("linux");
  return isLinux ? "linux" : "elsewhere";
}

/** Compiles; passes on what the compiler prints. */
async function compile(args: readonly string[]): Promise<{ code: number; complaint: string }> {
  await using folder = await temporaryFolder();
  const [main, worker] = await bundleProgram(join(folder.path, "program"));
  // The program is JavaScript without packages by then: what remains of deno.json is how it runs.
  const { unstable } = await readConfig();
  const config = join(folder.path, "deno.json");
  await Deno.writeTextFile(config, JSON.stringify({ unstable, nodeModulesDir: "none" }));
  const variables = join(folder.path, "build.env");
  await Deno.writeTextFile(variables, `MSP_COMMIT=${await describeCommit()}\n`);
  const process = new Deno.Command(Deno.env.get("MSP_COMPILER") || Deno.execPath(), {
    args: [
      "compile",
      // It would lie in /tmp, where others may write.
      "--no-code-cache",
      // The gate has done it; what is compiled is JavaScript.
      "--no-check",
      `--config=${config}`,
      `--env-file=${variables}`,
      `--include=${worker}`,
      ...mergeFlags(programFlags(systemOf(args)), args),
      // For stage 1 of a function host alone: every other command gives it up first.
      `--allow-ffi=${LIBC_PATHS}`,
      ...args.some((word) => /^(-o|--output)(=|$)/.test(word)) ? [] : ["--output", OUTPUT],
      main,
    ],
    cwd: repositoryPath(),
    stderr: "piped",
  }).spawn();
  let complaint = "";
  for await (const text of process.stderr.pipeThrough(new TextDecoderStream())) {
    complaint = (complaint + text).slice(-10_000);
    await Deno.stderr.write(new TextEncoder().encode(text));
  }
  return { code: (await process.status).code, complaint };
}

const NO_NETWORK =
  /error sending request|client error|dns error|lookup address|tcp connect|timed out|Proxy|HTTP status|bad response/i;

const TOOL = {
  name: "compile",
  about:
    `Builds the executable dist/msp. Options go to \`deno compile\`: --target TRIPLE, --output FILE,
or paths to grant beside those of the program: --allow-read=/srv/keys.`,
  options: {},
} satisfies Tool<string>;

if (import.meta.main) {
  if (Deno.args.some((word) => word === "--help" || word === "-h")) {
    await runTool(TOOL, async () => {});
  }
  await Deno.mkdir(repositoryPath("dist"), { recursive: true });
  const { code, complaint } = await compile(Deno.args).catch((error) => {
    // The bundler needs a download of its own.
    const complaint = error instanceof Error ? error.message : String(error);
    // deno-lint-ignore no-console -- a task, for developers
    console.error(complaint.trim());
    return { code: 1, complaint };
  });
  if (code !== 0 && NO_NETWORK.test(complaint)) {
    // deno-lint-ignore no-console -- a task, for developers
    console.error(
      "hint: The compiler downloads its runtime once, from dl.deno.land. Without access to it, use an\n" +
        "executable of a release, run the program from the sources (deno task serve), or set DENORT_BIN\n" +
        `to the denort of Deno ${Deno.version.deno}.`,
    );
  }
  Deno.exit(code);
}
