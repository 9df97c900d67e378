/**
 * `msp describe`, `msp types` and `msp mcp` against a real server; the assistant is the client of the
 * protocol's own SDK.
 */
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { programFlags } from "../../tasks/flags.ts";
import { repositoryPath } from "../../tasks/root.ts";
import { FunctionServer, writeModules } from "../functions.ts";
import { addProfile, profileOptions } from "../profiles.ts";
import { freePort, msp, mspOk, PROGRAM, run, TempFolder } from "../program.ts";

const MODULES = {
  add: `export const title = "Add an item";
  export const description = "Puts an item on the list.\u001b[31m";
  export const params = {
    type: "object",
    properties: { item: { type: "string", description: "What to buy" }, count: { type: "integer", minimum: 1 } },
    required: ["item"],
  };
  export const annotations = { idempotentHint: true, readOnlyHint: false };
  export const entry_call = ({ params }) => ({ added: params.item });`,
  text: "export const entry_call = () => 'plain';",
  own: "export const entry_call = () => { throw new PublicError('out of milk'); };",
};

interface ToolResult {
  readonly isError?: boolean;
  readonly content: readonly { readonly text?: string }[];
  readonly structuredContent?: unknown;
}

Deno.test({
  name:
    "describe and types say what a client may call; mcp offers it as tools, and tells of changes",
  // The SDK's client leaves a timer behind that would end a server which stays.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    await using folder = await TempFolder.make();
    await using setup = await FunctionServer.start(folder, { modules: MODULES });
    await addProfile(folder, setup.server.url);
    const options = profileOptions(folder);

    assert.equal(
      await mspOk(["describe"], options),
      "add: Add an item\n  Puts an item on the list.\ufffd[31m\n  item: string  What to buy\n" +
        "  count?: integer, at least 1\n  (idempotent)\n\ntext\n\nown\n",
    );
    const [described] = JSON.parse(await mspOk(["describe", "home", "ADD", "--json"], options));
    assert.deepEqual(described.inputSchema.required, ["item"]);
    const missing = await msp(["describe", "ad"], options);
    assert.equal(missing.code, 1);
    assert.match(missing.err, /no such function.*\nmsp: hint: did you mean add\?/);
    const other = await msp(["describe", "quite-another"], options);
    assert.match(other.err, /no such function.*\nmsp: hint: msp describe home lists /);
    await mspOk(["types", "home", "--output", "home.d.ts"], options);
    const types = await folder.read("home.d.ts");
    assert.match(types, /\n {2}\/\*\* Add an item\n {3}\* Puts an item/);
    assert.equal(await mspOk(["types"], options), types);

    const [command = "", ...args] = [...PROGRAM, "mcp", "home", "--refresh", "0.2"];
    const env = { ...Deno.env.toObject(), ...options.env };
    const transport = new StdioClientTransport({ command, args, env, cwd: folder.path });
    let changed = Promise.withResolvers<void>();
    const client = new Client({ name: "test", version: "1" });
    client.setNotificationHandler("notifications/tools/list_changed", () => {
      changed.resolve();
      changed = Promise.withResolvers();
    });
    await client.connect(transport);
    const call = async (name: string, args: Record<string, unknown> = {}): Promise<ToolResult> =>
      await client.callTool({ name, arguments: args }) as ToolResult;
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name), ["add", "text", "own"]);
    assert.equal(tools[0]?.title, "Add an item");
    assert.deepEqual(tools[0]?.inputSchema, described.inputSchema);
    assert.deepEqual(tools[0]?.annotations, { idempotentHint: true, readOnlyHint: false });
    const added = await call("add", { item: "milk" });
    assert.deepEqual(added.structuredContent, { added: "milk" });
    assert.deepEqual(added.content, [{ type: "text", text: '{"added":"milk"}' }]);
    assert.deepEqual(await call("text"), { content: [{ type: "text", text: "plain" }] });
    for (
      const [name, args, text] of [
        ["add", {}, /expected the member item \(executed: no/],
        ["own", {}, /the function failed: out of milk \(executed: yes, ref/],
        ["gone", {}, /there is no such function.*executed: no/],
      ] as const
    ) {
      const result = await call(name, args);
      assert.equal(result.isError, true, name);
      assert.match(result.content[0]?.text ?? "", text);
    }
    await writeModules(folder, { modules: { text: MODULES.text } });
    // Functions may change one after the other; each change is told.
    for (;;) {
      const next = changed.promise;
      const { tools } = await client.listTools();
      if (tools.map(({ name }) => name).join() === "text") break;
      await next;
    }
    await client.close();
  },
});

Deno.test("mcp writes messages only to standard output, and exits with its input", async () => {
  await using folder = await TempFolder.make();
  // Nothing listens there: calls fail, the server of the protocol does not.
  await addProfile(folder, `http://127.0.0.1:${freePort()}/v2`, {});
  const { cwd, env = {} } = profileOptions(folder);
  const [command = "", ...args] = [...PROGRAM, "mcp"];
  const process = new Deno.Command(command, {
    args,
    cwd,
    env: { ...env, NO_COLOR: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = process.stdin.getWriter();
  let text = "";
  const ask = async (message: object): Promise<Record<string, unknown>> => {
    await input.write(
      new TextEncoder().encode(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`),
    );
    while (!text.includes("\n")) {
      const { value, done } = await out.read();
      assert.ok(!done, "it exited");
      text += value;
    }
    const [line = ""] = text.split("\n", 1);
    text = text.slice(line.length + 1);
    return JSON.parse(line);
  };
  const clientInfo = { name: "test", version: "1" };
  const hello = await ask({
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-06-18", capabilities: {}, clientInfo },
  });
  assert.equal(Reflect.get(Object(hello.result), "serverInfo").name, "mini-share-point");
  const list = await ask({ id: 2, method: "tools/list", params: {} });
  assert.match(JSON.stringify(list.error), /Cannot reach .*connection refused/);
  const called = await ask({ id: 3, method: "tools/call", params: { name: "f", arguments: {} } });
  assert.match(JSON.stringify(called.result), /connection refused.*executed: no.*"isError":true/);
  await input.close();
  assert.equal((await process.status).code, 0);
  assert.equal(text + ((await out.read()).value ?? ""), "");
  await process.stderr.cancel();
});

Deno.test("mcp answers everything that came before the end of its input", async () => {
  await using folder = await TempFolder.make();
  const slow = "export const entry_call = async () => " +
    "{ await new Promise((done) => setTimeout(done, 500)); return 'slow'; };";
  await using setup = await FunctionServer.start(folder, { modules: { slow } });
  await addProfile(folder, setup.server.url);
  const clientInfo = { name: "test", version: "1" };
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
  await folder.write(
    "messages",
    [
      { id: 1, method: "initialize", params },
      { method: "notifications/initialized" },
      { id: 2, method: "tools/call", params: { name: "slow", arguments: {} } },
      { id: 3, method: "ping" },
    ].map((message) => `${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`).join(""),
  );
  const line = ["bash", "-c", '"$@" < messages', "bash", ...PROGRAM, "mcp"];
  const { code, out, err } = await run(line, profileOptions(folder));
  assert.equal(code, 0, err);
  const answers = out.trim().split("\n").map((each) => JSON.parse(each));
  assert.deepEqual(answers.map(({ id }) => id).toSorted(), [1, 2, 3]);
  assert.equal(answers.find(({ id }) => id === 2).result.content[0].text, "slow");
});

Deno.test("mcp gives up every permission but the network once it has read the profile", async () => {
  await using folder = await TempFolder.make();
  await addProfile(folder, `http://127.0.0.1:${freePort()}/v2`);
  const file = (path: string): string => JSON.stringify(`file://${repositoryPath(path)}`);
  await folder.write(
    "script.ts",
    `import { mcp } from ${file("cli/mcp.ts")};
    import { PLAIN } from ${file("cli/style.ts")};
    const io = { out() {}, note() {}, style: PLAIN, isTerminal: false, env: {}, ask() {},
      readInput: () => Promise.resolve(undefined), terminated: () => new Promise<void>(() => {}),
      onReload() {} };
    const code = await mcp.run(["home"], io);
    const names = ["read", "write", "env", "run", "sys", "ffi", "import", "net"] as const;
    const states = names.map((name) => [name, Deno.permissions.querySync({ name }).state]);
    console.log(JSON.stringify({ code, ...Object.fromEntries(states) }));
    Deno.exit(0);`,
  );
  const config = repositoryPath("deno.json");
  const line = [Deno.execPath(), "run", `--config=${config}`, ...programFlags(), "script.ts"];
  const { out, err } = await run(line, profileOptions(folder));
  assert.notEqual(out, "", err);
  const denied = Object.fromEntries(
    ["read", "write", "env", "run", "sys", "ffi", "import"].map((name) => [name, "prompt"]),
  );
  assert.deepEqual(JSON.parse(out), { code: 0, ...denied, net: "granted" });
});
