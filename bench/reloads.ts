/**
 * @module
 * `deno run … bench/reloads.ts [COUNT]`: changes a module so many times under calls, and prints memory
 * and descriptors of the server before and after: they must stay the same. Not part of `deno task bench`.
 */
import { join } from "node:path";
import { callFunction } from "../lib/client.ts";
import { makeStore } from "./store.ts";
import { serverLine, startSubject } from "./subject.ts";

const count = Number(Deno.args[0] ?? 1000);
const home = await Deno.makeTempDir({ prefix: "msp-reloads-" });
const store = await makeStore(home, { count: 1, senderCount: 1, config: "" });
await Deno.mkdir(join(home, "modules"));
await Deno.writeTextFile(join(home, "config/modules.ini"), "[Modules]\ntime_test=f\n");
const change = (n: number): Promise<void> =>
  Deno.writeTextFile(join(home, "modules/f.js"), `export const entry_call = () => ${n};\n`);
await change(0);
const subject = await startSubject(serverLine(undefined), home, { isFree: true });
let failures = 0;
const keys = {
  privateKey: store.senders[0]?.privateKey ?? store.server.privateKey,
  secretHex: store.secret,
  serverPublicKey: store.server.publicKey,
};

async function call(): Promise<string> {
  try {
    return await callFunction({ url: subject.url, functionName: "time_test", keys });
  } catch {
    failures++;
    return "";
  }
}

async function measure(label: string): Promise<void> {
  const script = `ls /proc/${subject.pid}/fd | wc -l; ps -o pid= --ppid ${subject.pid} | wc -l`;
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
  const [files, children] = new TextDecoder().decode(stdout).trim().split("\n");
  const megabytes = (await subject.residentMegabytes()).toFixed(0);
  // deno-lint-ignore no-console -- the result
  console.log(
    `${label}: ${megabytes} MB, ${files} descriptors, ${children} processes of functions`,
  );
}

try {
  await subject.waitForLog(/INFO functions: Functions: /);
  for (let i = 1; i <= count; i++) {
    await change(i);
    while (await call() !== String(i));
    if (i === 20 || i % 100 === 0) await measure(`${i} changes`);
  }
  // deno-lint-ignore no-console -- the result
  console.log(`${failures} failed calls`);
} finally {
  await subject.stop();
  await Deno.remove(home, { recursive: true });
}
