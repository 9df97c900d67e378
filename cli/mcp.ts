/**
 * @module
 * `msp mcp`: a server of the Model Context Protocol on standard input and output.
 */
import { wrongUsage } from "./arguments.ts";
import { Client, CLIENT_FLAGS } from "./client.ts";
import type { CommandTexts } from "./command.ts";
import { defineCommand } from "./define.ts";

const DEFAULT_REFRESH_SECONDS = 30;
const MAX_REFRESH_SECONDS = 86_400;

const TEXTS = {
  name: "mcp",
  summary: "offer a server's functions to an assistant as MCP tools",
  args: ["[PROFILE]"],
  flags: {
    refresh: {
      value: "SECONDS",
      meaning: `how often to look for changed functions (default ${DEFAULT_REFRESH_SECONDS})`,
    },
    ...CLIENT_FLAGS,
  },
  description:
    `Speaks the Model Context Protocol on standard input and output; an assistant starts it. Its tools are ` +
    `the functions that the profile may call, with their schemas and annotations. A call that fails is a ` +
    `result that says so, and whether the function ran. docs/mcp.md says how to add it to an assistant.

Once it has read the profile, it gives up every permission but the network.`,
  example: "msp mcp home",
} as const satisfies CommandTexts;

/** The command. */
export const mcp = defineCommand({
  ...TEXTS,
  async run({ flags, args: [named] }, io): Promise<number> {
    const refreshMs = refreshOf(flags.refresh);
    using client = await Client.open(TEXTS, { flags, named }, io);
    // Only this command needs the library.
    const { serveTools } = await import("./mcp_server.ts");
    for (const name of ["read", "write", "env", "run", "sys", "ffi"] as const) {
      Deno.permissions.revokeSync({ name });
    }
    await serveTools(client, { refreshMs, note: io.note, terminated: io.terminated() });
    return 0;
  },
});

function refreshOf(text: string | undefined): number {
  const seconds = text === undefined ? DEFAULT_REFRESH_SECONDS : Number(text.trim() || NaN);
  if (seconds > 0 && seconds <= MAX_REFRESH_SECONDS) return seconds * 1000;
  const given = JSON.stringify(text?.slice(0, 80));
  throw wrongUsage(TEXTS, `--refresh ${given}, expected seconds, at most ${MAX_REFRESH_SECONDS}`);
}
