/**
 * @module
 * The examples of docs/modules.md run as they stand there.
 */
import assert from "node:assert/strict";
import { FunctionServer } from "./functions.ts";
import { mspOk, ServerProcess, TempFolder } from "./program.ts";
import { callServer, registerClient } from "./registered.ts";

const text = await Deno.readTextFile(new URL("../docs/modules.md", import.meta.url));

/** The file and the lines of modules.ini of an example. */
function example(heading: string): { path: string; code: string; ini: string } {
  const [, section = ""] = text.split(`### ${heading}\n`);
  const path = /`(modules\/\w+\.js)`/.exec(section)?.[1] ?? "";
  const code = /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  const ini = /```ini\n([\s\S]*?)```/.exec(section)?.[1] ?? "";
  assert.ok(path !== "" && code !== "" && ini !== "", heading);
  return { path, code, ini };
}

/** Serves an example, after changes that only a test needs. */
async function serve(
  folder: TempFolder,
  heading: string,
  change = (each: string): string => each,
): Promise<{ server: ServerProcess; call: (name: string) => Promise<string | number> }> {
  const { path, code, ini } = example(heading);
  const client = await registerClient(folder);
  await folder.write(path, change(code));
  await folder.write("config/modules.ini", change(ini));
  const server = await ServerProcess.start({
    cwd: folder.path,
    env: { MSP_WEATHER_TOKEN: "the token" },
  });
  return { server, call: (name) => callServer(server.url, client, name) };
}

Deno.test("docs/modules.md: the file", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/shopping_list.txt", "bread\nsalt\n");
  const { server: started, call } = await serve(folder, "A file");
  await using _server = started;
  assert.equal(await call("shopping_list"), "bread\nsalt\n");
});

Deno.test("docs/modules.md: the request with a token", async () => {
  await using folder = await TempFolder.make();
  const service = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) =>
      Response.json({
        temperature: request.headers.get("authorization") === "Bearer the token" ? 21 : null,
      }),
  );
  const { port } = service.addr;
  try {
    const { server: started, call } = await serve(
      folder,
      "A request with a token",
      (each) =>
        each.replace("https://api.example.org", `http://127.0.0.1:${port}`)
          .replace("api.example.org:443", `127.0.0.1:${port}`),
    );
    await using _server = started;
    assert.equal(await call("weather"), '{"temperature":21}');
  } finally {
    await service.shutdown();
  }
});

Deno.test("docs/modules.md: the counter", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/counter/x", "");
  const { server: started, call } = await serve(folder, "A counter");
  await using _server = started;
  const counts = await Promise.all(Array.from({ length: 20 }, () => call("counter")));
  assert.deepEqual(
    counts.map(Number).toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
});

Deno.test("docs/modules.md: what a module says of itself", async () => {
  await using folder = await TempFolder.make();
  const [, section = ""] = text.split("## Arguments, results and errors\n");
  await folder.write("modules/garage.js", /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? "");
  await folder.write("config/modules.ini", "[Modules]\ngarage=garage\n");
  const [report] = JSON.parse(await mspOk(["functions", "--json"], { cwd: folder.path }));
  assert.equal(report.state, "ready");
  assert.equal(report.title, "Garage door");
  assert.deepEqual(report.params.required, ["door", "open"]);
  assert.deepEqual(report.annotations, { idempotentHint: true });
});

Deno.test("docs/modules.md: what a function gets", async () => {
  await using folder = await TempFolder.make();
  const code = /```js\n(\/\*\* @type[\s\S]*?)```/.exec(text)?.[1] ?? "";
  await using functions = await FunctionServer.start(folder, { modules: { named: code } });
  assert.equal(await functions.call("named"), "this is named");
});
