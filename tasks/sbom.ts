/**
 * @module
 * `deno task sbom`: writes the bill of materials of the executable (CycloneDX, JSON) with
 * `@cyclonedx/cyclonedx-npm`, which reads npm's lock file: one is made from deno.json, and must agree with
 * deno.lock in every version and hash. Fails when a licence is not among those that we ship with.
 */
import { dirname, join, resolve } from "node:path";
import { runTool, say, type Tool, type ToolArguments, ToolError } from "../bench/tool.ts";
import { programPackages, readConfig, readLock } from "./packages.ts";
import { repositoryPath } from "./root.ts";

const TOOL = {
  name: "sbom",
  about:
    `Writes the bill of materials of the executable (CycloneDX, JSON), and fails when a package has a
licence that does not allow to ship it.`,
  options: { output: { value: "FILE", meaning: "the file to write (dist/msp.cdx.json)" } },
} satisfies Tool<string>;
const CYCLONEDX = "@cyclonedx/cyclonedx-npm@6.0.1";
/** Licences that allow to ship the code in our executable with a notice. */
const LICENCES = ["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "Unlicense", "0BSD"];

async function run(cwd: string, ...line: string[]): Promise<void> {
  const { success } = await new Deno.Command(line[0] ?? "", {
    args: line.slice(1),
    cwd,
    stdout: "null",
  }).spawn().status;
  if (!success) throw new ToolError(`${line.join(" ")} failed`);
}

/** Writes package.json and package-lock.json of what is in the executable. */
async function lockWithNpm(folder: string): Promise<void> {
  const { name, version, license, imports } = await readConfig();
  const packages = await programPackages();
  const isDirect = (each: string): boolean => Object.hasOwn(imports, each);
  const versions = (areDirect: boolean): Record<string, string> =>
    Object.fromEntries(
      packages.filter((each) => isDirect(each.name) === areDirect)
        .map((each) => [each.name, each.version]),
    );
  // What our dependencies depend on has the locked version too.
  const manifest = {
    name,
    version,
    license,
    dependencies: versions(true),
    overrides: versions(false),
  };
  await Deno.writeTextFile(
    join(folder, "package.json"),
    JSON.stringify({ ...manifest, private: true }),
  );
  await run(folder, "npm", "install", "--silent", "--package-lock-only", "--ignore-scripts");
}

async function checkPackages(folder: string): Promise<void> {
  const { npm } = await readLock();
  const expected = new Set((await programPackages()).map(({ key }) => npm[key]?.integrity));
  const { packages } = JSON.parse(await Deno.readTextFile(join(folder, "package-lock.json")));
  const found = Object.entries<{ integrity?: string; license?: string }>(packages)
    .filter(([path]) => path !== "");
  if (found.length !== expected.size) {
    throw new ToolError("npm and deno.lock have different packages");
  }
  for (const [path, { integrity, license = "none" }] of found) {
    if (integrity === undefined || !expected.has(integrity)) {
      throw new ToolError(
        `${path} has another hash than in deno.lock: update the lock, or pin the version`,
      );
    }
    const isKnown = license.replace(/[()]/g, "").split(" OR ").some((each) =>
      LICENCES.includes(each)
    );
    if (!isKnown) throw new ToolError(`${path} has the licence ${license}`);
  }
}

async function writeBill({ values }: ToolArguments<keyof typeof TOOL["options"]>): Promise<void> {
  const target = resolve(values.output ?? repositoryPath("dist", "msp.cdx.json"));
  const folder = await Deno.makeTempDir({ prefix: "msp-sbom-" });
  try {
    await lockWithNpm(folder);
    await checkPackages(folder);
    await Deno.mkdir(dirname(target), { recursive: true });
    const format = ["--package-lock-only", "--output-reproducible", "--output-format", "JSON"];
    await run(folder, "npx", "-y", CYCLONEDX, ...format, "--output-file", target);
    const { components, bomFormat } = JSON.parse(await Deno.readTextFile(target));
    if (bomFormat !== "CycloneDX") throw new ToolError(`${target} is not a CycloneDX file`);
    say(`${target}: ${components.length} components`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await runTool(TOOL, writeBill);
