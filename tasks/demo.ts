/**
 * @module
 * `deno task demo`: the whole way in a temporary folder, with real processes and real HTTP. Shows
 * each command as a user would type it.
 */
import { join } from "node:path";
import { programFlags } from "./flags.ts";
import { repositoryPath } from "./root.ts";

const encoder = new TextEncoder();

function say(text: string): void {
  Deno.stdout.writeSync(encoder.encode(`${text}\n`));
}

const folder = await Deno.makeTempDir({ prefix: "msp-demo-" });
const command = Deno.execPath();
const prefix = ["run", "--quiet", ...programFlags(), repositoryPath("main.ts")];
const options = { cwd: folder, env: { MSP_LOGLEVEL: "WARNING" } } as const;

/** Runs a command to its end, shows it and what it printed. */
async function msp(...args: string[]): Promise<string> {
  say(`\n$ msp ${args.join(" ")}`);
  const { success, stdout, stderr } = await new Deno.Command(command, {
    ...options,
    args: [...prefix, ...args],
  }).output();
  const text = new TextDecoder().decode(stdout);
  say((text + new TextDecoder().decode(stderr)).trimEnd());
  if (!success) throw new Error(`msp ${args[0]} failed`);
  return text;
}

/** Starts the server and waits for its ready line. */
async function startServer(): Promise<{ url: string; process: Deno.ChildProcess }> {
  say("\n$ msp serve --host 127.0.0.1 --port 0 &");
  const args = [...prefix, "serve", "--host", "127.0.0.1", "--port", "0"];
  const process = new Deno.Command(command, { ...options, args, stdout: "piped" }).spawn();
  let text = "";
  for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("\n")) break;
  }
  const url = /http:\/\/\S+/.exec(text)?.[0];
  if (url === undefined) throw new Error("the server did not start");
  say(text.trimEnd());
  return { url, process };
}

/** Writes a file and shows the command that would. */
async function write(name: string, text: string): Promise<void> {
  say(`$ printf ${text} > ${name}`);
  await Deno.writeTextFile(join(folder, name), text);
}

try {
  say(`Everything happens in ${folder}, which is removed at the end.`);
  say("\n# The client makes its keys.");
  await msp("keygen", "pair", "client");
  say("\n# The server's operator registers the public key, and tells the client two values.");
  const publicKey = await Deno.readTextFile(join(folder, "client.pub"));
  const registered = await msp("appendclient", publicKey);
  say("\n# The client keeps them.");
  await write("client.secret", /Secret: (\S+)/.exec(registered)?.[1] ?? "");
  await write("server.pub", /key:\s+(\S+)/.exec(registered)?.[1] ?? "");
  say("\n# The server runs, and the client calls a function.");
  const { url, process } = await startServer();
  try {
    await msp("call", url, "time_test");
  } finally {
    say("\n$ kill %1");
    process.kill("SIGTERM");
    await process.status;
  }
  say("\nDone.");
} finally {
  await Deno.remove(folder, { recursive: true });
}
