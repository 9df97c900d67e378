/**
 * @module
 * `deno task sbom [FILE]`: writes the bill of materials (CycloneDX, JSON; default dist/msp.cdx.json) with
 * `@cyclonedx/cyclonedx-npm`, which reads npm's lock file: one is made from deno.json, and must agree with
 * deno.lock in every version and hash. Fails when a licence is not among those that we ship with.
 */
import { resolve } from "node:path";

const TOOL = "@cyclonedx/cyclonedx-npm@6.0.1";
/** Licences that allow to ship the code in our executable with a notice. */
const LICENCES = ["MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "Unlicense", "0BSD"];
const ROOT = new URL("../", import.meta.url);
const target = resolve(Deno.args[0] ?? new URL("dist/msp.cdx.json", ROOT).pathname);

// deno-lint-ignore no-explicit-any -- files of several tools
async function readJson(path: URL | string): Promise<any> {
  return JSON.parse(await Deno.readTextFile(path));
}

async function run(cwd: string, ...line: string[]): Promise<void> {
  const { success } = await new Deno.Command(line[0] ?? "", {
    args: line.slice(1),
    cwd,
    stdout: "null",
  }).spawn().status;
  if (!success) fail(`${line.join(" ")} failed`);
}

function fail(message: string): never {
  // deno-lint-ignore no-console -- a task, for developers
  console.error(message);
  Deno.exit(1);
}

const { name, version, license, imports } = await readJson(new URL("deno.json", ROOT));
const dependencies = Object.fromEntries(
  Object.values<string>(imports).map((specifier) =>
    /^npm:(.+)@([^@]+)$/.exec(specifier)?.slice(1) ?? fail(`${specifier} is not from npm`)
  ),
);
const folder = await Deno.makeTempDir({ prefix: "msp-sbom-" });
try {
  const denoLock = await readJson(new URL("deno.lock", ROOT));
  // What our dependencies depend on has the locked version too. A key is name@version_peers.
  const overrides = Object.fromEntries(
    Object.keys(denoLock.npm).map((key) => /^(.+?)@([^_@]+)/.exec(key)?.slice(1) ?? fail(key))
      .filter(([each = ""]) => !Object.hasOwn(dependencies, each)),
  );
  const manifest = { name, version, license, dependencies, overrides, private: true };
  await Deno.writeTextFile(`${folder}/package.json`, JSON.stringify(manifest));
  await run(folder, "npm", "install", "--silent", "--package-lock-only", "--ignore-scripts");
  const lock = await readJson(`${folder}/package-lock.json`);
  const hashes = new Set(
    Object.values<{ integrity: string }>(denoLock.npm).map(({ integrity }) => integrity),
  );
  const packages = Object.entries<{ integrity?: string; license?: string }>(lock.packages)
    .filter(([path]) => path !== "");
  if (packages.length !== hashes.size) fail("npm and deno.lock have different packages");
  for (const [path, { integrity, license: found = "none" }] of packages) {
    if (integrity === undefined || !hashes.has(integrity)) {
      fail(`${path} has another hash than in deno.lock: update the lock, or pin the version`);
    }
    const isKnown = found.replace(/[()]/g, "").split(" OR ").some((each) =>
      LICENCES.includes(each)
    );
    if (!isKnown) fail(`${path} has the licence ${found}`);
  }
  await Deno.mkdir(resolve(target, ".."), { recursive: true });
  await run(
    folder,
    "npx",
    ...["-y", TOOL, "--package-lock-only", "--output-reproducible", "--output-format", "JSON"],
    ...["--output-file", target],
  );
  const { components, bomFormat } = await readJson(target);
  if (bomFormat !== "CycloneDX") fail(`${target} is not a CycloneDX file`);
  // deno-lint-ignore no-console -- the result
  console.log(`${target}: ${components.length} components`);
} finally {
  await Deno.remove(folder, { recursive: true });
}
