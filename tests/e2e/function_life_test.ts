import assert from "node:assert/strict";
import { sealRequest } from "../v1_client.ts";
import { FunctionServer, isAlive, waitUntil, writeModules } from "../functions.ts";
import { msp, mspOk, TempFolder } from "../program.ts";
import { postTo } from "../registered.ts";

const PING = "export const entry_call = () => 'pong';";

Deno.test("kill -9 of the process of functions during 1,000 calls: each gets one answer, none runs twice", async () => {
  await using folder = await TempFolder.make();
  await folder.write("state/ran", "");
  await folder.write("state/mark", "");
  // In the process that is killed, calls after the first 100 never end.
  const code = `
    let n = 0;
    const started = crypto.randomUUID();
    export const entry_call = async () => {
      const id = started + " " + ++n;
      Deno.writeTextFileSync("state/ran", id + "\\n", { append: true });
      const mark = Deno.readTextFileSync("state/mark");
      if (mark === "" && n > 100) await new Promise(() => {});
      return id;
    };`;
  await using functions = await FunctionServer.start(folder, {
    modules: { counts: code },
    sections: "[counts]\nWrite=state\nQueue=1000\nTimeout=60\n",
  });
  const { client, server } = functions;
  const bodies = Array.from({ length: 1000 }, () => JSON.stringify(sealRequest(client, "counts")));
  const answers = bodies.map(async (body) => {
    const response = await postTo(server.url, body);
    await response.body?.cancel();
    return response.status;
  });
  const runs = async (): Promise<string[]> =>
    (await folder.read("state/ran")).split("\n").slice(0, -1);
  await waitUntil(async () => (await runs()).length > 100, "calls run that never end");
  await folder.write("state/mark", "killed");
  const [host = 0] = await functions.hosts();
  Deno.kill(host, "SIGKILL");
  const statuses = await Promise.all(answers);
  assert.equal(statuses.length, 1000);
  const count = (status: number): number => statuses.filter((each) => each === status).length;
  assert.equal(count(200) + count(401), 1000);
  assert.ok(count(401) > 0, "some were lost with the process");
  assert.ok(count(200) > 100, `only ${count(200)} were answered`);
  const ran = await runs();
  assert.equal(new Set(ran).size, ran.length);
  assert.ok(ran.length <= 1000, `${ran.length} runs for 1,000 calls`);
  assert.ok(ran.length >= count(200));
  await server.waitForLog(/Function process exited: SIGKILL/);
  assert.match(String(await functions.call("counts")), / /);
});

Deno.test("a process of functions that is killed again and again comes back each time", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, { modules: { ping: PING } });
  for (let i = 0; i < 3; i++) {
    const [host = 0] = await functions.hosts();
    Deno.kill(host, "SIGKILL");
    await waitUntil(async () => !(await functions.hosts()).includes(host), "it is gone");
    assert.equal(await functions.call("ping"), "pong");
  }
});

const FATAL = "Deno.kill(Deno.pid, 'SIGKILL');";

Deno.test("a function that kills its process while it loads is marked broken, others serve on", async () => {
  await using folder = await TempFolder.make();
  // What grows without bounds is killed; in Deno 2.9 it could also send itself a signal.
  const hungry = "const kept = []; for (;;) kept.push(new Array(100_000).fill(Math.random()));";
  await using functions = await FunctionServer.start(folder, {
    modules: { fatal: `${hungry} ${FATAL} ${PING}`, ping: PING, pong: PING },
    config: "[Functions]\nMaxHeap=64\n",
  });
  const { server } = functions;
  assert.match(
    server.err,
    /Cannot load function fatal: .*\/modules\/fatal\.js ended its process 3 times while it loaded/,
  );
  assert.match(server.err, /INFO functions: Functions: ping, pong\n/);
  for (const name of ["ping", "pong"]) assert.equal(await functions.call(name), "pong");
  assert.equal(await functions.call("fatal"), 401);
  await server.waitForLog(/function fatal cannot be loaded/);
  const deaths = server.err.match(/Function process exited/g) ?? [];
  assert.ok(deaths.length <= 5, `${deaths.length} deaths`);
  await folder.write("modules/fatal.js", PING);
  await functions.waitForAnswer("fatal", "pong");
});

Deno.test("no process remains when the server stops, even with a function in an endless loop", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { ping: PING, stuck: "export const entry_call = () => { for (;;); };" },
    sections: "[ping]\nProcess=own\n[stuck]\nTimeout=1\n",
  });
  const hosts = await functions.hosts();
  assert.equal(hosts.length, 2);
  assert.equal(await functions.call("stuck"), 401);
  assert.equal(await functions.server.stop(), 0);
  await waitUntil(async () => !(await Promise.all(hosts.map(isAlive))).includes(true), "all gone");
});

Deno.test("no process remains when the server is killed, even with a function in an endless loop", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: { ping: PING, stuck: "export const entry_call = () => { for (;;); };" },
    sections: "[ping]\nProcess=own\n",
  });
  const hosts = await functions.hosts();
  const stuck = functions.call("stuck").catch(() => "no answer");
  assert.equal(await functions.call("ping"), "pong");
  functions.server.signal("SIGKILL");
  await functions.server.status();
  assert.equal(await stuck, "no answer");
  await waitUntil(async () => !(await Promise.all(hosts.map(isAlive))).includes(true), "all gone");
});

Deno.test("calls that arrive before the functions have loaded wait for them", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, { modules: { ping: PING } });
  const [host = 0] = await functions.hosts();
  Deno.kill(host, "SIGKILL");
  // Calls that the killed process had are lost; from here on there is none to have them.
  await functions.server.waitForLog(/Function process exited/);
  const answers = await Promise.all(Array.from({ length: 50 }, () => functions.call("ping")));
  assert.deepEqual(answers, Array(50).fill("pong"));
});

Deno.test("a module that never finishes loading is broken after 10 s, and uses no CPU", async () => {
  await using folder = await TempFolder.make();
  await using functions = await FunctionServer.start(folder, {
    modules: {
      endless: `for (;;); ${PING}`,
      awaits: `await new Promise(() => {}); ${PING}`,
      ping: PING,
    },
  });
  for (const name of ["endless", "awaits"]) {
    assert.match(
      functions.server.err,
      new RegExp(`Cannot load function ${name}: .* does not load within 10 s`),
    );
  }
  assert.equal(await functions.call("ping"), "pong");
  await waitUntil(async () => (await functions.hosts()).length === 1, "the first process is gone");
});

Deno.test("msp functions lists what the server would serve, and exits with 1 when one is broken", async () => {
  await using folder = await TempFolder.make();
  await folder.write("data/x", "");
  await writeModules(folder, {
    modules: { fine: PING },
    sections: "[fine]\nRead=data\nNet=example.org:443\nTimeout=5\nInstances=2\nProcess=own\n",
  });
  const options = { cwd: folder.path };
  const text = await mspOk(["functions"], options);
  assert.match(
    text,
    /^functions run behind .*\n\nfine: ready\n {2}module {2}.*\/modules\/fine\.js\n {2}may {5}read .*data; net example\.org:443\n {2}limits {2}Timeout 5 s, Instances 2, Queue 256, MaxResult 1048576, MaxParams 1048576, Process own\n$/,
  );
  const [report] = JSON.parse(await mspOk(["functions", "--json"], options));
  assert.equal(report.state, "ready");
  assert.deepEqual(report.limits, {
    timeoutSeconds: 5,
    instances: 2,
    queue: 256,
    maxResultBytes: 1_048_576,
    maxParamsBytes: 1_048_576,
    process: "own",
  });
  await folder.write("modules/fine.js", "export const entry_call = (;");
  const { code, out } = await msp(["functions", "--json"], options);
  assert.equal(code, 1);
  assert.match(
    JSON.parse(out)[0].fault,
    /^Cannot load function fine: .*\/modules\/fine\.js does not load: SyntaxError/,
  );
  await folder.write("config/modules.ini", "[Modules]\nfine=fine\n[fine]\nTimeout=soon\n");
  const wrong = await msp(["functions"], options);
  assert.equal(wrong.code, 1);
  assert.doesNotMatch(wrong.out, /^ {2}(?:module|may|limits) /m, "nothing is known of them");
  assert.match(
    wrong.out,
    /line 4: Timeout = "soon", expected a whole number of seconds from 1 to 3600/,
  );
  await folder.write("config/modules.ini", "[Modules]\n");
  assert.equal(await mspOk(["functions"], options), "No functions\n");
});
