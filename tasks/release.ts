/**
 * @module
 * `deno task release`: writes dist/release: an archive for each target (executable, documents,
 * man page, completions, service, licences of everything in it), the bill of materials, and SHA256SUMS.
 * The same commit gives the same bytes: the lock is frozen, and files have the time of the commit.
 */
import { basename, dirname, join, resolve } from "node:path";
import { runTool, say, type Tool, type ToolArguments, ToolError } from "../bench/tool.ts";
import { VERSION } from "../lib/version.ts";
import { MANUAL } from "./manual.ts";
import { programPackages } from "./packages.ts";
import { repositoryPath } from "./root.ts";

const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];
const TOOL = {
  name: "release",
  about: `Writes dist/release: an archive for each target, the bill of materials, and SHA256SUMS.
The same commit gives the same bytes; SOURCE_DATE_EPOCH overrides the time of the commit.`,
  options: {
    targets: {
      value: "LIST",
      meaning: `some of the targets, such as ${TARGETS.slice(0, 2).join(",")}`,
    },
    output: { value: "FOLDER", meaning: "another folder, which is replaced" },
  },
} satisfies Tool<string>;
/** Documents, and what they link to. */
const DOCUMENTS = [
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "LICENSE",
  "README.md",
  "SECURITY.md",
  "client/README.md",
  "compose.yaml",
  "deploy",
  "docs",
  "examples",
  "lib/functions/types.ts",
  "tests/vectors",
];

async function run(cwd: string, ...line: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(line[0] ?? "", {
    args: line.slice(1),
    cwd,
    // Tools write times into archives in the zone of the machine.
    env: { TZ: "UTC" },
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${line.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

/** The licence texts of the packages in the executable, which their licences ask for. */
async function licences(): Promise<string> {
  const parts = [
    "Mini Share Point contains the packages below, and the runtime Deno (MIT, https://deno.com).\n",
  ];
  const folder = await Deno.makeTempDir({ prefix: "msp-licences-" });
  try {
    const packages = await programPackages();
    const wanted = packages.map(({ name, version }) => `${name}@${version}`);
    const archives = (await run(folder, "npm", "pack", "--silent", ...wanted)).trim().split("\n");
    for (const [index, { name, version }] of packages.entries()) {
      const archive = archives[index] ?? "";
      const names = (await run(folder, "tar", "-tzf", archive)).split("\n");
      const file = names.find((each) => /^[^/]+\/(?:licen[cs]e|copying)[^/]*$/i.test(each));
      const text = file === undefined
        ? JSON.parse(await run(folder, "tar", "-xzOf", archive, "package/package.json")).license
        : await run(folder, "tar", "-xzOf", archive, file);
      parts.push(`${"-".repeat(78)}\n${name} ${version}\n\n${String(text).trim()}\n`);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return parts.join("\n");
}

/** The time of the commit, in seconds. */
async function commitTime(): Promise<string> {
  const given = Deno.env.get("SOURCE_DATE_EPOCH");
  return given ?? (await run(repositoryPath(), "git", "log", "-1", "--format=%ct")).trim();
}

async function fillFolder(folder: string, target: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const program = join(folder, target.includes("windows") ? "msp.exe" : "msp");
  const compile = ["task", "compile", "--target", target, "--output", program];
  await run(repositoryPath(), Deno.execPath(), ...compile);
  await run(repositoryPath(), "cp", "-r", "--parents", ...DOCUMENTS, folder);
  for (const [file, text] of Object.entries(MANUAL)) {
    await Deno.writeTextFile(join(folder, file), text);
  }
}

/** Packs a folder into an archive beside it, without anything that differs between two builds: order, owners, times, modes. @returns its name. */
export async function pack(folder: string, target: string, time: string): Promise<string> {
  const [output, name] = [dirname(folder), basename(folder)];
  await run(
    folder,
    "find",
    ".",
    "-exec",
    "touch",
    "--no-dereference",
    `--date=@${time}`,
    "{}",
    "+",
  );
  await run(folder, "chmod", "-R", "u=rwX,go=rX", ".");
  if (target.includes("windows")) {
    const script = 'find "$1" | LC_ALL=C sort | zip -q -X -@ "$1.zip"';
    await run(output, "sh", "-c", script, "sh", name);
    return `${name}.zip`;
  }
  const script =
    'tar --format=ustar --sort=name --owner=0 --group=0 --numeric-owner -cf - "$1" | ' +
    'gzip -n -9 > "$1.tar.gz"';
  await run(output, "bash", "-o", "pipefail", "-c", script, "bash", name);
  return `${name}.tar.gz`;
}

function chosenTargets(list: string | undefined): readonly string[] {
  if (list === undefined) return TARGETS;
  return list.split(",").map((target) => {
    if (TARGETS.includes(target)) return target;
    const known = TARGETS.join(", ");
    throw new ToolError(`--targets ${target}: expected some of ${known}`, { exitStatus: 2 });
  });
}

async function release({ values }: ToolArguments<keyof typeof TOOL["options"]>): Promise<void> {
  const output = resolve(values.output ?? repositoryPath("dist", "release"));
  const targets = chosenTargets(values.targets);
  await Deno.remove(output, { recursive: true }).catch(() => {});
  await Deno.mkdir(output, { recursive: true });
  const [notices, time] = [await licences(), await commitTime()];
  const files: string[] = [];
  for (const target of targets) {
    const folder = join(output, `msp-${VERSION}-${target}`);
    await fillFolder(folder, target);
    await Deno.writeTextFile(join(folder, "THIRD-PARTY-LICENCES.txt"), notices);
    files.push(await pack(folder, target, time));
    await Deno.remove(folder, { recursive: true });
  }
  const bill = `msp-${VERSION}.cdx.json`;
  await run(repositoryPath(), Deno.execPath(), "task", "sbom", "--output", join(output, bill));
  const sums = await run(output, "sha256sum", ...files, bill);
  await Deno.writeTextFile(join(output, "SHA256SUMS"), sums);
  say(sums.trimEnd());
}

if (import.meta.main) await runTool(TOOL, release);
