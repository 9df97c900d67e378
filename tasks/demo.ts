/**
 * @module
 * `deno task demo`: the whole way in a temporary folder, with real processes and real HTTP. Shows
 * each command as a user would type it.
 */
import { resolve } from "node:path";
import { runTool, say, type Tool, ToolError } from "../bench/tool.ts";
import { programFlags } from "./flags.ts";
import { repositoryPath } from "./root.ts";

const TOOL = {
  name: "demo",
  about: "Shows the whole way in a temporary folder: server, invite, join, call.",
  options: { binary: { value: "FILE", meaning: "an executable in place of the sources" } },
} satisfies Tool<string>;

/** A folder, and the program in it. */
class Demo {
  readonly #program: string;
  readonly #prefix: readonly string[];
  readonly #folder: string;

  constructor(folder: string, binary: string | undefined) {
    this.#folder = folder;
    this.#program = binary === undefined ? Deno.execPath() : resolve(binary);
    const sources = ["run", "--quiet", ...programFlags(), repositoryPath("main.ts")];
    this.#prefix = binary === undefined ? sources : [];
  }

  /** Shows a command, runs it to its end, and shows what it printed. */
  async msp(...args: string[]): Promise<string> {
    say(`\n$ msp ${args.join(" ")}`);
    const { success, stdout, stderr } = await this.#command(args, "piped").output();
    const text = new TextDecoder().decode(stdout);
    say((text + new TextDecoder().decode(stderr)).trimEnd());
    if (!success) throw new ToolError(`msp ${args[0]} failed`);
    return text;
  }

  /** Starts the server and waits for its ready line. */
  async startServer(): Promise<{ url: string; process: Deno.ChildProcess }> {
    const args = ["serve", "--host", "127.0.0.1", "--port", "0"];
    say(`\n$ msp ${args.join(" ")} &`);
    const process = this.#command(args, "inherit").spawn();
    let text = "";
    for await (const chunk of process.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.includes("\n")) break;
    }
    const url = /http:\/\/\S+/.exec(text)?.[0];
    if (url === undefined) throw new ToolError("the server did not start");
    say(text.trimEnd());
    return { url, process };
  }

  #command(args: readonly string[], stderr: "piped" | "inherit"): Deno.Command {
    const folder = this.#folder;
    return new Deno.Command(this.#program, {
      args: [...this.#prefix, ...args],
      cwd: folder,
      env: { MSP_LOGLEVEL: "WARNING", HOME: folder, XDG_CONFIG_HOME: folder, USERPROFILE: folder },
      stdin: "null",
      stdout: "piped",
      stderr,
    });
  }
}

async function show(demo: Demo): Promise<void> {
  say("\n# The server runs, and its operator makes a link for a client.");
  const { url, process } = await demo.startServer();
  try {
    const link = await demo.msp("invite", "laptop", "--url", new URL(url).origin);
    say("\n# The client makes its keys, joins with the link, and calls a function.");
    await demo.msp("join", link.trim(), "--profile", "home", "--v1", ".");
    const answers = [
      await demo.msp("call", "home", "time_test"),
      // The same by protocol v1, with the three files.
      await demo.msp("call", url, "time_test"),
    ];
    if (!answers.every((answer) => answer.startsWith("It is currently"))) {
      throw new ToolError("the answer is another one");
    }
    await demo.msp("invites");
  } finally {
    say("\n$ kill %1");
    process.kill("SIGTERM");
    await process.status;
  }
  say("\nDone.");
}

await runTool(TOOL, async ({ values: { binary } }) => {
  const folder = await Deno.makeTempDir({ prefix: "msp-demo-" });
  try {
    say(`Everything happens in ${folder}, which is removed at the end.`);
    await show(new Demo(folder, binary));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
