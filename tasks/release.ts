/**
 * @module
 * `deno task release [TARGET …]`: makes dist/release with an archive for each target (executable, man page,
 * completions, service, licences of everything in it), the bill of materials, and SHA256SUMS. Without
 * targets: all that `deno compile` knows; options go to it. Inputs are fixed: the lock is frozen, the commit is built in.
 */
import { VERSION } from "../lib/version.ts";
import { MANUAL } from "./manual.ts";

const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
  "x86_64-pc-windows-msvc",
];
const ROOT = new URL("../", import.meta.url);
const OUTPUT = new URL("dist/release/", ROOT);
/** For `deno compile`. */
const FLAGS = Deno.args.filter((word) => word.startsWith("-"));
const FILES = ["LICENSE", "README.md", "SECURITY.md", "CHANGELOG.md", "deploy/msp.service"];

async function run(cwd: URL, ...line: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(line[0] ?? "", {
    args: line.slice(1),
    cwd,
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${line.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

/** The licence texts of the packages in the executable, which their licences ask for. */
async function licences(): Promise<string> {
  const lock = JSON.parse(await Deno.readTextFile(new URL("deno.lock", ROOT)));
  const parts = [
    "Mini Share Point contains the packages below, and the runtime Deno (MIT, https://deno.com).\n",
  ];
  const folder = new URL("licences/", OUTPUT);
  await Deno.mkdir(folder);
  for (const key of Object.keys(lock.npm)) {
    const [, name = "", version = ""] = /^(.+?)@([^_@]+)/.exec(key) ?? [];
    const archive = (await run(folder, "npm", "pack", "--silent", `${name}@${version}`)).trim();
    const names = (await run(folder, "tar", "-tzf", archive)).split("\n");
    const file = names.find((each) => /^package\/(?:licen[cs]e|copying)[^/]*$/i.test(each));
    const text = file === undefined
      ? JSON.parse(await run(folder, "tar", "-xzOf", archive, "package/package.json")).license
      : await run(folder, "tar", "-xzOf", archive, file);
    parts.push(`${"-".repeat(78)}\n${name} ${version}\n\n${String(text).trim()}\n`);
  }
  await Deno.remove(folder, { recursive: true });
  return parts.join("\n");
}

async function makeArchive(target: string, notices: string): Promise<string> {
  const name = `msp-${VERSION}-${target}`;
  const folder = new URL(`${name}/`, OUTPUT);
  await Deno.mkdir(folder, { recursive: true });
  const isWindows = target.includes("windows");
  const program = new URL(isWindows ? "msp.exe" : "msp", folder).pathname;
  await run(
    ROOT,
    Deno.execPath(),
    "task",
    "compile",
    ...FLAGS,
    "--target",
    target,
    "--output",
    program,
  );
  for (const file of FILES) {
    await Deno.copyFile(new URL(file, ROOT), new URL(file.split("/").at(-1) ?? "", folder));
  }
  await Deno.writeTextFile(new URL("THIRD-PARTY-LICENCES.txt", folder), notices);
  for (const [file, text] of Object.entries(MANUAL)) {
    await Deno.writeTextFile(new URL(file, folder), text);
  }
  const archive = `${name}.tar.gz`;
  // Owners and order are no part of what was built.
  const tar = ["tar", "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-czf"];
  await run(OUTPUT, ...tar, archive, name);
  await Deno.remove(folder, { recursive: true });
  return archive;
}

await Deno.remove(OUTPUT, { recursive: true }).catch(() => {});
await Deno.mkdir(OUTPUT, { recursive: true });
const notices = await licences();
const archives: string[] = [];
const targets = Deno.args.filter((word) => !word.startsWith("-"));
for (const target of targets.length === 0 ? TARGETS : targets) {
  archives.push(await makeArchive(target, notices));
}
const bill = `msp-${VERSION}.cdx.json`;
await run(ROOT, Deno.execPath(), "task", "sbom", new URL(bill, OUTPUT).pathname);
const sums = await run(OUTPUT, "sha256sum", ...archives, bill);
await Deno.writeTextFile(new URL("SHA256SUMS", OUTPUT), sums);
Deno.stdout.writeSync(new TextEncoder().encode(sums));
