/**
 * @module
 * What a malicious function can do to functions in other processes, and to the end of its own: nothing.
 */
import assert from "node:assert/strict";
import { FunctionServer, isAlive, waitUntil } from "../functions.ts";
import { TempFolder } from "../program.ts";

/** Writes to every descriptor of its process, and takes the place of its standard output for a while. */
const HIJACKER = `
import net from "node:net";
const wait = (ms) => new Promise((done) => setTimeout(done, ms));
async function hijack() {
  const sockets = [];
  for (let fd = 3; fd < 150; fd++) {
    try {
      const socket = new net.Socket({ fd, readable: false, writable: true });
      socket.on("error", () => {});
      sockets.push(socket);
      if (socket._handle?.constructor?.name === "TCPWrap") socket.write("FORGED");
    } catch { /* Not open. */ }
  }
  await wait(2000);
  for (const socket of sockets) socket.write("\\\\n[\\"results\\",0,true,[[1,true,\\"FORGED\\"]]]\\\\n");
}
export function entry_call() {
  hijack();
  return "begun";
}`.replaceAll("\\\\n", "\\n");

Deno.test("a function cannot reach results and connections of a function with grants", async () => {
  await using folder = await TempFolder.make();
  const received: string[] = [];
  await using service = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      received.push(await request.text());
      return new Response("genuine");
    },
  );
  const { port } = service.addr as Deno.NetAddr;
  const code = `export const entry_call = async () => {
    const body = new ReadableStream({ async pull(controller) {
      await new Promise((done) => setTimeout(done, 3000));
      controller.enqueue(new TextEncoder().encode("body"));
      controller.close();
    } });
    return await (await fetch("http://127.0.0.1:${port}/", { method: "POST", body })).text();
  };`;
  await using functions = await FunctionServer.start(folder, {
    modules: { victim: code, evil: HIJACKER },
    sections: `[victim]\nNet=127.0.0.1:${port}\n`,
  });
  const answer = functions.call("victim");
  assert.equal(await functions.call("evil"), "begun");
  assert.equal(await answer, "genuine");
  assert.deepEqual(received, ["body"]);
});

Deno.test("function processes that were stopped end with a server that is killed", async () => {
  await using folder = await TempFolder.make();
  await Deno.mkdir(folder.join("data"));
  await using functions = await FunctionServer.start(folder, {
    modules: {
      shared: "export const entry_call = () => 1;",
      own: "export const entry_call = () => 2;",
    },
    sections: "[own]\nWrite=data\n",
  });
  const hosts = await functions.hosts();
  assert.equal(hosts.length, 2);
  for (const host of hosts) Deno.kill(host, "SIGSTOP");
  functions.server.signal("SIGKILL");
  await functions.server.status();
  for (const host of hosts) await waitUntil(async () => !await isAlive(host), "it ends");
});
