/**
 * @module
 * The tasks of deno.json: each explains itself, none starts to work because of an option that it does
 * not know, and what `deno task compile` and `deno task release` make is what they say.
 */
import assert from "node:assert/strict";
import { programPackages } from "../tasks/packages.ts";
import { pack } from "../tasks/release.ts";
import { repositoryPath } from "../tasks/root.ts";
import { isFile, isInstalled, testIf } from "./conditions.ts";
import { type Outcome, PROGRAM, run, RUNTIME, TempFolder } from "./program.ts";

/** Tasks that are the program itself, a program of Deno, or several tasks. */
const OTHERS = ["serve", "msp", "test", "ok"];

async function task(...args: string[]): Promise<Outcome> {
  return await run([Deno.execPath(), "task", ...args], { cwd: repositoryPath() });
}

Deno.test("every task explains itself, and refuses an option that it does not know", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(repositoryPath("deno.json")));
  const names = Object.keys(tasks).filter((name) => !OTHERS.includes(name));
  assert.ok(names.length > 8, "the tasks were not found");
  for (const name of names) {
    const help = await task(name, "--help");
    assert.equal(help.code, 0, `${name}: ${help.err}`);
    assert.match(help.out, new RegExp(`Usage: deno task ${name}\\b`), name);
    if (name === "compile") continue;
    const wrong = await task(name, "--no-such-option");
    assert.equal(wrong.code, 2, `${name}: ${wrong.err}`);
    assert.equal(wrong.out, "", name);
    assert.match(
      wrong.err,
      new RegExp(`error: .*--no-such-option.*\\nhint: deno task ${name} --help\\n$`),
    );
  }
});

Deno.test("deno task compile without a network says what else there is", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: repositoryPath() };
  const { denoDir } = JSON.parse((await run([Deno.execPath(), "info", "--json"], options)).out);
  // The packages are there, the runtime is not.
  await Deno.mkdir(folder.join("cache"));
  await Deno.symlink(`${denoDir}/npm`, folder.join("cache/npm"));
  const proxy = "http://127.0.0.1:9";
  const env = { HTTPS_PROXY: proxy, HTTP_PROXY: proxy, DENO_DIR: folder.join("cache") };
  const compile = [
    Deno.execPath(),
    "task",
    "compile",
    "--output",
    folder.join("msp"),
  ];
  const { code, err } = await run(["env", "-u", "DENORT_BIN", ...compile], { ...options, env });
  assert.notEqual(code, 0);
  assert.match(
    err,
    /\nhint: The compiler downloads its runtime once, from dl\.deno\.land\. .*\nexecutable of a release/,
  );
});

Deno.test("packages that only tests use are not among those of the program", async () => {
  const names = (await programPackages()).map(({ name }) => name);
  for (const name of ["libsodium", "@cfworker/json-schema", "bintrees"]) {
    assert.ok(names.includes(name), name);
  }
  for (const name of ["fast-check", "pure-rand"]) assert.ok(!names.includes(name), name);
});

testIf(
  RUNTIME.isExecutable,
  "needs an executable",
  "an executable has no packages of tests",
  async () => {
    const { out } = await run(["grep", "-c", "-a", "pure-rand", PROGRAM[0] ?? ""], { cwd: "/" });
    assert.equal(out, "0\n");
  },
);

testIf(
  isInstalled("zip"),
  "zip is not installed",
  "archives have the same bytes whenever they are packed",
  async () => {
    await using folder = await TempFolder.make();
    const archive = async (where: string, target: string): Promise<string> => {
      await folder.write(`${where}/msp/msp`, "program");
      await folder.write(`${where}/msp/docs/b.md`, "b");
      await folder.write(`${where}/msp/docs/a.md`, "a");
      await Deno.chmod(folder.join(where, "msp/msp"), where === "first" ? 0o755 : 0o775);
      const name = await pack(folder.join(where, "msp"), target, "1700000000");
      return (await run(["sha256sum", name], { cwd: folder.join(where) })).out;
    };
    for (const target of ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc"]) {
      const first = await archive("first", target);
      assert.match(first, /^[0-9a-f]{64} {2}msp\.(?:tar\.gz|zip)\n$/);
      assert.equal(await archive("second", target), first, target);
    }
    const listed = await run(["tar", "--full-time", "--utc", "-tvzf", "first/msp.tar.gz"], {
      cwd: folder.path,
    });
    assert.match(listed.out, /^-rwxr-xr-x 0\/0 +7 2023-11-14 22:13:20 msp\/msp$/m);
  },
);

/** The runtime that .ci/compile takes; the newest one has to be downloaded. */
const HOME = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`;
const DENORT = `${HOME}/mini-share-point/denort-2.4.2`;

testIf(
  isFile(DENORT),
  "no runtime to compile with, .ci/compile gets one",
  "a release archive has a program that runs, its licences, and no link to a file that is missing",
  async () => {
    await using folder = await TempFolder.make();
    const target = "x86_64-unknown-linux-gnu";
    const release = [
      "task",
      "release",
      "--targets",
      target,
      "--output",
      folder.join("out"),
    ];
    const compiler = await compilerOfRuntime();
    const made = await run([Deno.execPath(), ...release], {
      cwd: repositoryPath(),
      env: { DENORT_BIN: DENORT, MSP_COMPILER: compiler, SOURCE_DATE_EPOCH: "1700000000" },
    });
    assert.equal(made.code, 0, made.err);
    const cwd = folder.join("out");
    const check = await run(["sha256sum", "--check", "--strict", "SHA256SUMS"], { cwd });
    assert.equal(check.code, 0, check.out + check.err);
    const [archive = ""] = (await folder.names("out")).filter((name) => name.endsWith(".tar.gz"));
    assert.equal((await run(["tar", "-xzf", archive], { cwd })).code, 0);
    const root = `out/${archive.replace(".tar.gz", "")}`;
    const version = await run([folder.join(root, "msp"), "--version"], { cwd });
    assert.match(version.out, /^msp \d+\.\d+\.\d+ \(Mini Share Point; commit \S+, Deno 2\.4\.2, /);
    const licences = await folder.read(`${root}/THIRD-PARTY-LICENCES.txt`);
    for (const { name, version } of await programPackages()) {
      assert.ok(licences.includes(`\n${name} ${version}\n`), name);
    }
    assert.doesNotMatch(licences, /fast-check|pure-rand/);
    const bill = await folder.read(`out/${archive.replace(/-x86.*/, "")}.cdx.json`);
    assert.doesNotMatch(bill, /fast-check|pure-rand/);
    await assertLinks(folder.join(root));
  },
);

testIf(
  isFile(DENORT),
  "no runtime to compile with, .ci/compile gets one",
  "the same sources give the same executable",
  async () => {
    await using folder = await TempFolder.make();
    const env = { DENORT_BIN: DENORT, MSP_COMPILER: await compilerOfRuntime(), MSP_COMMIT: "test" };
    for (const name of ["first", "second"]) {
      const line = [Deno.execPath(), "task", "compile", "--output", folder.join(name)];
      const { code, err } = await run(line, { cwd: repositoryPath(), env });
      assert.equal(code, 0, err);
    }
    assert.equal((await run(["cmp", "first", "second"], { cwd: folder.path })).code, 0);
  },
);

/** The Deno whose compiler fits the runtime. */
async function compilerOfRuntime(): Promise<string> {
  const line = ["npx", "-y", "-p", "deno@2.4.2", "-c", "command -v deno"];
  return (await run(line, { cwd: "/" })).out.trim();
}

/** Every relative link of every document leads to something. */
async function assertLinks(root: string): Promise<void> {
  const { out } = await run(["find", ".", "-name", "*.md"], { cwd: root });
  const documents = out.trim().split("\n");
  assert.ok(documents.length > 5, "the documents were not found");
  for (const document of documents) {
    const file = new URL(`file://${root}/${document}`);
    for (
      const [, link = ""] of (await Deno.readTextFile(file)).matchAll(/\]\(([^)#:]+)[^):]*\)/g)
    ) {
      await Deno.stat(new URL(link, file)).catch(() => assert.fail(`${document} links to ${link}`));
    }
  }
}
