/**
 * @module
 * What docs say of the code's order, checked: floors and circles of imports, the one door to each
 * crypto library, `@throws`, docstrings, permissions that tasks and executable share, shipped files.
 */
import assert from "node:assert/strict";
import { dirname, join, normalize } from "node:path";
import { programFlags } from "../tasks/flags.ts";
import { repositoryPath } from "../tasks/root.ts";

const ROOT = repositoryPath();

/** From the ground up; a file may import from its own floor and from those below it. */
const FLOORS: readonly (readonly RegExp[])[] = [
  [/^client\//],
  [
    /^lib\/(?:errors|owner|version|refusals|prose|suggest|network_reason)\.ts$/,
    /^lib\/protocol\/base64\.ts$/,
  ],
  [
    /^lib\/files\.ts$/,
    /^lib\/(?:folder_events|json_depth|retry|short_bytes|slices|watch)\.ts$/,
    /^lib\/observer\.ts$/,
  ],
  [/^lib\/log_file\.ts$/, /^lib\/log\.ts$/, /^lib\/state\.ts$/],
  [/^lib\/config\//, /^lib\/limits\//],
  [/^lib\/crypto\//, /^lib\/redis\//],
  [/^lib\/keys\//, /^lib\/replay\//, /^lib\/functions\//],
  [/^lib\/protocol\//],
  [/^lib\/calls\.ts$/],
  [/^lib\/http\//, /^lib\/metrics\.ts$/, /^lib\/(?:log_observer|last_use)\.ts$/],
  [/^lib\/(server|server_parts|server_metrics|composition|closers|cluster|first_start|registration\w*|registrar|invitation|health|doctor\w*)\.ts$/],
  [/^cli\//],
  [/^host\.ts$/],
  [/^main\.ts$/],
];
const SUBJECTS = [
  "client",
  "lib/config",
  "lib/limits",
  "lib/crypto",
  "lib/redis",
  "lib/keys",
  "lib/replay",
  "lib/functions",
  "lib/http",
];

/** Which files may import a library that does cryptography. */
const CRYPTO_DOORS: Readonly<Record<string, readonly string[]>> = {
  libsodium: ["lib/crypto/sodium.ts"],
  "@noble/ciphers/chacha.js": ["client/primitives.ts"],
  "@noble/ciphers/salsa.js": ["client/nacl_box.ts"],
  "@noble/curves/abstract/montgomery.js": ["client/primitives.ts"],
  "@noble/curves/ed25519.js": ["lib/crypto/public_key.ts"],
  "@noble/hashes/hkdf.js": ["client/primitives.ts"],
  "@noble/hashes/sha2.js": ["client/primitives.ts"],
  tweetnacl: ["lib/crypto/nacl.ts"],
};

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

async function readSources(): Promise<Source[]> {
  const paths = ["main.ts", "host.ts"];
  for (const folder of ["cli", "client", "lib"]) paths.push(...await listFiles(folder));
  const files = paths.filter((path) => path.endsWith(".ts"));
  const sources = await Promise.all(files.map(async (path) => {
    const text = await Deno.readTextFile(join(ROOT, path));
    const imports = [...text.matchAll(/^(?:import|export)\b[^;]*?from "([^"]+)"/gms)]
      .map(([, specifier = ""]) =>
        specifier.startsWith(".") ? normalize(join(dirname(path), specifier)) : specifier
      );
    return { path, text, imports };
  }));
  assert.ok(sources.length > 30, "the sources were not found");
  return sources;
}

async function listFiles(folder: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const entry of Deno.readDir(join(ROOT, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) paths.push(...await listFiles(path));
    else paths.push(path);
  }
  return paths;
}

function floorOf(path: string): number {
  const floor = FLOORS.findIndex((patterns) => patterns.some((pattern) => pattern.test(path)));
  assert.notEqual(floor, -1, `${path} has no floor`);
  return floor;
}

Deno.test("imports go down the floors only, and not across subjects of one floor", async () => {
  for (const { path, imports } of await readSources()) {
    for (
      const target of imports.filter((each) => /^(?:lib|cli|client)\/|^(?:main|host)\./.test(each))
    ) {
      assert.ok(floorOf(path) >= floorOf(target), `${path} imports ${target} from above`);
      const subject = SUBJECTS.find((each) => path.startsWith(`${each}/`));
      if (subject === undefined || floorOf(path) !== floorOf(target)) continue;
      assert.ok(target.startsWith(`${subject}/`), `${path} imports ${target} across subjects`);
    }
  }
});

Deno.test("imports form no cycle", async () => {
  const graph = new Map((await readSources()).map(({ path, imports }) => [path, imports]));
  const done = new Set<string>();
  function visit(path: string, way: readonly string[]): void {
    assert.ok(!way.includes(path), `circle: ${[...way, path].join(" → ")}`);
    if (done.has(path)) return;
    for (const target of graph.get(path) ?? []) visit(target, [...way, path]);
    done.add(path);
  }
  for (const path of graph.keys()) visit(path, []);
});

Deno.test("each crypto library is imported by one file", async () => {
  for (const { path, imports } of await readSources()) {
    for (const [library, doors] of Object.entries(CRYPTO_DOORS)) {
      if (imports.includes(library)) assert.ok(doors.includes(path), `${path} imports ${library}`);
    }
  }
});

Deno.test("only main.ts and host.ts touch Deno.args and Deno.exit, and lib/ never prints", async () => {
  for (const { path, text } of await readSources()) {
    if (!/^(?:main|host)\.ts$/.test(path)) {
      assert.doesNotMatch(text, /^[^*]*Deno\.(?:args|exit)\b/m, path);
    }
    assert.doesNotMatch(text, /^(?!\s*\*).*\bconsole\./m, path);
  }
});

/** The parts of the package that only run where there are files. */
const CLIENT_WITH_FILES = ["client/file.ts"];

Deno.test("the client package runs everywhere: no Deno, no Node, three dependencies", async () => {
  const sources = (await readSources()).filter(({ path }) => path.startsWith("client/"));
  assert.ok(sources.length >= 4);
  for (const { path, text, imports } of sources) {
    for (const target of imports) {
      const isOwn = target.startsWith("client/") ||
        /^@noble\/(?:ciphers|curves|hashes)\//.test(target);
      const isNode = CLIENT_WITH_FILES.includes(path) && target.startsWith("node:");
      assert.ok(isOwn || isNode, `${path} imports ${target}`);
    }
    assert.doesNotMatch(text, /^(?!\s*(?:\*|\/\/)).*\b(?:Deno|process|Buffer)\./m, path);
  }
});

Deno.test("the library of msp mcp is loaded by that command alone, and only when it runs", async () => {
  for (const { path, text, imports } of await readSources()) {
    const isLibrary = imports.some((each) => /^vendor\/|modelcontextprotocol/.test(each));
    assert.equal(isLibrary, path === "cli/mcp_server.ts", path);
    assert.ok(!imports.includes("cli/mcp_server.ts"), `${path} imports cli/mcp_server.ts`);
    assert.equal(text.includes('import("./mcp_server.ts")'), path === "cli/mcp.ts", path);
  }
});

Deno.test("every file opens with @module, and every export of lib/ and client/ has a docstring", async () => {
  for (const { path, text } of await readSources()) {
    assert.match(text, /^\/\*\*\n \* @module\n/, path);
    if (!/^(?:lib|client)\//.test(path)) continue;
    for (const { index } of text.matchAll(/^export (?!\{|\*|type \{)/gm)) {
      assert.match(text.slice(0, index), /\*\/\n$/, `${path}: ${text.slice(index, index + 60)}`);
    }
  }
});

Deno.test("a function of lib/ that throws an error of ours says so", async () => {
  for (const { path, text } of await readSources()) {
    for (const [whole, doc = "", body = ""] of text.matchAll(EXPORTED_FUNCTION)) {
      for (const [, name = ""] of body.matchAll(/throw new (\w+Error)\(/g)) {
        if (name === "RangeError" || name === "Error") continue;
        assert.match(doc, new RegExp(`@throws[^@]*${name}`), `${path}: ${whole.slice(0, 200)}`);
      }
    }
  }
});
const EXPORTED_FUNCTION =
  /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\nexport (?:async )?function \w+[\s\S]*?\{\n([\s\S]*?)\n\}\n/g;

Deno.test("the tasks serve and msp have the permissions of the one table, by path, without prompts", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  // Systems other than Linux know the running program by its path only.
  const self = `,"$(deno eval 'console.log(Deno.execPath())')"`;
  const flagsOf = (task: string): string[] =>
    task.replace(self, "").split(" ").filter((word) => word.startsWith("--"));
  for (const [task, isServerOnly] of [[tasks.serve, true], [tasks.msp, false]] as const) {
    assert.ok(task.includes(self));
    assert.deepEqual(flagsOf(task), programFlags("linux", { isServerOnly }));
  }
  assert.ok(programFlags().includes("--no-prompt"));
  const elsewhere = programFlags("elsewhere").filter((flag) => flag !== "--allow-run");
  assert.deepEqual(elsewhere, programFlags("linux").filter((flag) => !/^--allow-run/.test(flag)));
  for (const task of Object.values<string>(tasks)) {
    assert.doesNotMatch(task, /(?:^|\s)(?:-A|--allow-all)(?:\s|$)/);
  }
});

Deno.test("dependencies are pinned to exact versions from npm", async () => {
  const { imports } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  assert.ok(Object.keys(imports).length > 0);
  for (const [name, target] of Object.entries<string>(imports)) {
    assert.match(target, new RegExp(`^npm:${name}@\\d+\\.\\d+\\.\\d+$`));
  }
});

Deno.test("tests are skipped by testIf only, which says why", async () => {
  const tests = await listFiles("tests");
  assert.ok(tests.length > 30, "the tests were not found");
  for (const path of tests.filter((each) => each.endsWith(".ts"))) {
    if (path === "tests/conditions.ts" || path === "tests/conventions_test.ts") continue;
    const text = await Deno.readTextFile(join(ROOT, path));
    assert.doesNotMatch(text, /^\s*(?:ignore\b.*[:,]|skip:|Deno\.test\.ignore)/m, path);
    assert.doesNotMatch(text, /^Deno\.test\([^\n]*\n\s*if \([^\n]*\) return;$/m, path);
  }
});

Deno.test("actions are pinned by commit, images by digest, and one version of Deno is used", async () => {
  const read = (path: string): Promise<string> => Deno.readTextFile(join(ROOT, path));
  const workflows = await listFiles(".github/workflows");
  assert.ok(workflows.length > 1);
  const versions = new Set<string>();
  for (const path of workflows) {
    const text = await read(path);
    for (const [, action = ""] of text.matchAll(/\buses: (.+)/g)) {
      assert.match(action, /^(?:[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\.\/\.github\/.+)$/, path);
    }
    for (const [, image = ""] of text.matchAll(/\bimage: (\S+:\S+)/g)) {
      if (!image.includes("$")) assert.match(image, /@sha256:[0-9a-f]{64}$/, path);
    }
    for (const [, version = ""] of text.matchAll(/DENO_VERSION: "(.+)"/g)) versions.add(version);
  }
  const images = [...(await read("Dockerfile")).matchAll(/^ARG \w+_IMAGE=(.+)$/gm)];
  assert.equal(images.length, 2);
  for (const [, image = ""] of images) {
    assert.match(image, /^docker\.io\/\w+\/\w+:[\w.-]+@sha256:[0-9a-f]{64}$/);
    const [, version] = /\/deno:(.+)@/.exec(image) ?? [];
    if (version !== undefined) versions.add(version);
  }
  for (const [, version = ""] of (await read(".ci/run")).matchAll(/deno@([\d.]+)/g)) {
    versions.add(version);
  }
  assert.equal(versions.size, 1, [...versions].join(", "));
});
