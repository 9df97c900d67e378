/**
 * The tarball of `deno task npm`, installed as a user would, in Node, in Deno and in a page, each against
 * the real server; with the examples that use the package.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../../tasks/root.ts";
import { isInstalled, succeeds, testIf } from "../conditions.ts";
import { bundle, runPage } from "../elsewhere/chromium.ts";
import { FunctionServer } from "../functions.ts";
import { addProfile, profileOptions } from "../profiles.ts";
import { mspOk, run, TempFolder } from "../program.ts";

const IS_POSSIBLE = await succeeds("npm", "--version") && isInstalled("chromium");
/** Bytes that the library may take in a page, compressed. */
const MAX_PAGE_BYTES = 22_000;
const MODULES = { echo: "export const entry_call = ({ params }) => params;" };

/** An empty project with the package in it. */
async function install(folder: TempFolder): Promise<void> {
  const place = `dist/package-${crypto.randomUUID()}`;
  try {
    const task = [Deno.execPath(), "task", "npm", "--output", `${place}/npm`];
    const made = await run(task, { cwd: repositoryPath() });
    assert.equal(made.code, 0, made.err);
    const [tarball = ""] = [...Deno.readDirSync(repositoryPath(place))].map(({ name }) => name)
      .filter((name) => name.endsWith(".tgz"));
    await folder.write("package.json", '{ "name": "empty", "private": true, "type": "module" }');
    const line = [
      "npm",
      "install",
      "--silent",
      "--no-audit",
      "--no-fund",
      repositoryPath(place, tarball),
    ];
    const installed = await run(line, { cwd: folder.path });
    assert.equal(installed.code, 0, installed.err);
  } finally {
    await Deno.remove(repositoryPath(place), { recursive: true });
  }
  assert.deepEqual(await folder.names("node_modules"), [
    ".package-lock.json",
    "@noble",
    "mini-share-point",
  ]);
  const { exports, license, types } = JSON.parse(
    await folder.read("node_modules/mini-share-point/package.json"),
  );
  assert.deepEqual(Object.keys(exports), [".", "./file", "./browser", "./v1"]);
  assert.equal(license, "MIT");
  assert.equal(types, undefined);
  const names = await folder.names("node_modules/mini-share-point");
  for (const name of ["README.md", "LICENSE", "mod.js", "mod.d.ts"]) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(names.every((name) => !/[^d]\.ts$/.test(name)), "only plain JavaScript");
}

/** A page that does what a user of examples/page/ does, and tells what it shows. */
const PAGE = `
const html = await (await fetch("/example.html")).text();
document.body.innerHTML = new DOMParser().parseFromString(html, "text/html").body.innerHTML;
await import("/example.js");
const output = document.getElementById("output");
const shows = (text) => new Promise((resolve) => {
  const look = () => output.textContent.includes(text) && resolve(output.textContent);
  new MutationObserver(look).observe(output, { childList: true, characterData: true, subtree: true });
  look();
});
const submit = (id) => document.getElementById(id).requestSubmit();
document.getElementById("link").value = await (await fetch("/link")).text();
submit("join");
const outcome = [await Promise.race([shows("Joined"), shows("executed"), shows("Cannot")])];
if (outcome[0] === "Joined") {
  document.getElementById("params").value = '{"item": "milk"}';
  submit("call");
  outcome.push(await Promise.race([shows("milk"), shows("executed"), shows("Cannot")]));
}
await fetch("/outcome", { method: "POST", body: JSON.stringify(outcome) });`;

testIf(
  IS_POSSIBLE,
  "no npm, or no chromium",
  "the package of deno task npm calls a server from Node, Deno and a page",
  async () => {
    await using folder = await TempFolder.make();
    await using project = await TempFolder.make();
    await install(project);
    const config = "[V2]\nAllowOrigins=*\n";
    await using setup = await FunctionServer.start(folder, { modules: MODULES, config });
    await addProfile(folder, setup.server.url);
    const env = { ...profileOptions(folder).env };
    await Deno.copyFile(repositoryPath("examples/client.mjs"), project.join("client.mjs"));
    const runtimes = {
      node: ["node"],
      deno: [Deno.execPath(), "run", "--quiet", "--allow-net", "--allow-read", "--allow-env"],
    };
    for (const [name, line] of Object.entries(runtimes)) {
      const call = (...args: string[]) =>
        run([...line, "client.mjs", ...args], { cwd: project.path, env });
      const { code, out, err } = await call("home", "echo", '{"item":"ü"}');
      assert.deepEqual([code, out], [0, '{"item":"ü"}\n'], `${name}: ${err}`);
      const failed = await call("home", "not_there");
      assert.deepEqual([failed.code, failed.out], [1, ""]);
      assert.match(failed.err, /^client\.mjs: .* \(executed: no, ref [0-9a-f]{8}\)\n$/);
      assert.match(
        (await call("away", "echo")).err,
        /^client\.mjs: Cannot find profile away[^\n]*\n$/,
      );
    }

    await project.write(
      "page.js",
      'export * from "mini-share-point";\nexport * from "mini-share-point/browser";\n',
    );
    await bundle(project.join("page.js"), project.join("all.js"), ["--minify"], project.path);
    const compressed = new Response(await project.read("all.js")).body
      ?.pipeThrough(new CompressionStream("gzip"));
    const bytes = (await new Response(compressed ?? null).arrayBuffer()).byteLength;
    assert.ok(bytes > 5000 && bytes <= MAX_PAGE_BYTES, `${bytes} bytes`);

    await Deno.copyFile(repositoryPath("examples/page/page.mjs"), project.join("page.mjs"));
    await bundle(project.join("page.mjs"), project.join("example.js"), [], project.path);
    await project.write("script.js", PAGE);
    const { origin } = new URL(setup.server.url);
    const invite = await mspOk(["invite", "page", "--url", origin, "--json"], { cwd: folder.path });
    const { link } = JSON.parse(invite);
    const files: Record<string, () => Promise<Response>> = {
      "/link": () => Promise.resolve(new Response(link)),
      "/example.html": async () =>
        new Response(await Deno.readTextFile(repositoryPath("examples/page/index.html"))),
      "/example.js": async () =>
        new Response(await project.read("example.js"), {
          headers: { "content-type": "text/javascript" },
        }),
    };
    const outcome = await runPage(
      project.join("script.js"),
      {},
      (request) => files[new URL(request.url).pathname]?.(),
    );
    assert.deepEqual(JSON.parse(outcome), ["Joined", '{"item":"milk"}']);
  },
);
