/**
 * @module
 * The functions of a client as tools of the Model Context Protocol (https://modelcontextprotocol.io), on
 * standard input and output. Loaded by `msp mcp` alone: the library behind it is large.
 */
import { type CallToolResult, Server, type Tool } from "@modelcontextprotocol/server";
import { serveStdio, StdioServerTransport } from "@modelcontextprotocol/server/stdio";
import process from "node:process";
import { finished, PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import type { FunctionInfo } from "../client/connection.ts";
import { CallError } from "../lib/errors.ts";
import { VERSION } from "../lib/version.ts";
import type { Client } from "./client.ts";

/** How tools are served. */
export interface ToolOptions {
  /** How often the functions are looked up again. */
  readonly refreshMs: number;
  readonly note: (text: string) => void;
  /** Resolves when the program is asked to stop. */
  readonly terminated: Promise<void>;
}

/** Tools that an assistant knows, by the names that it knows. */
interface Known {
  readonly tools: readonly Tool[];
  readonly functions: ReadonlyMap<string, string>;
}

/** Serves until standard input ends, and what came from it is answered. */
export async function serveTools(client: Client, options: ToolOptions): Promise<void> {
  const { refreshMs, note, terminated } = options;
  const servers = new Set<Server>();
  const requests = new Running();
  let known: Known = { tools: [], functions: new Map() };
  const refresh = async (): Promise<Known> => known = toolsOf(await client.functions());
  const tellChanges = async (): Promise<void> => {
    const before = JSON.stringify(known.tools);
    const { tools } = await refresh();
    if (JSON.stringify(tools) === before) return;
    // A server whose client has gone cannot be told.
    for (const each of servers) await each.sendToolListChanged().catch(() => servers.delete(each));
  };
  const make = (): Server => {
    const server = new Server(
      { name: "mini-share-point", title: "Mini Share Point", version: VERSION },
      { capabilities: { tools: { listChanged: true } } },
    );
    server.setRequestHandler("tools/list", async () => {
      const { tools } = await requests.add(refresh());
      return { tools: [...tools] };
    });
    server.setRequestHandler("tools/call", async ({ params }, { mcpReq: { signal } }) => {
      const name = known.functions.get(params.name) ?? params.name;
      const { result, isMissing } = await requests.add(
        callTool(client, { name, args: params.arguments, signal }),
      );
      if (isMissing) void tellChanges().catch(() => {});
      return result;
    });
    servers.add(server);
    return server;
  };
  const transport = new StdioServerTransport(patientInput(requests));
  const handle = serveStdio(make, { transport, onerror: ({ message }) => note(message) });
  const closed = new Promise<void>((resolve) => {
    const { onclose } = transport;
    transport.onclose = () => {
      onclose?.();
      resolve();
    };
  });
  // While the server cannot be reached, its functions are what they were.
  const timer = setInterval(() => void tellChanges().catch(() => {}), refreshMs);
  await Promise.race([closed, terminated]);
  clearInterval(timer);
  await handle.close().catch(() => {});
}

/** Requests that are being answered. */
class Running {
  readonly #all = new Set<Promise<unknown>>();

  /** Resolves, or rejects, as what it is given. */
  async add<T>(request: Promise<T>): Promise<T> {
    this.#all.add(request);
    try {
      return await request;
    } finally {
      this.#all.delete(request);
    }
  }

  /** Resolves when all of them are answered. */
  async over(): Promise<void> {
    // Messages that have arrived are given out, and answers written, in turns of their own.
    do {
      await Promise.allSettled(this.#all);
      await setImmediate();
    } while (this.#all.size > 0);
  }
}

/** Standard input, whose end comes after the answers: the transport writes nothing once it has ended. */
function patientInput(requests: Running): PassThrough {
  const input = new PassThrough();
  process.stdin.pipe(input, { end: false });
  // Also when reading fails: the transport has to hear of it.
  finished(process.stdin, { writable: false }, async (error) => {
    await setImmediate();
    await requests.over();
    if (error) input.destroy(error);
    else input.end();
  });
  return input;
}

/** Characters that every assistant accepts in the name of a tool. */
const OTHER_CHARACTERS = /[^A-Za-z0-9_-]/g;
const MAX_NAME_LENGTH = 64;
/** An underscore, and a number below the count of functions that fit into an answer. */
const MAX_NUMBER_LENGTH = 8;

/** The tools of some functions. A name that assistants may refuse is written with others. */
export function toolsOf(functions: readonly FunctionInfo[]): Known {
  const byTool = new Map<string, string>();
  const nextNumbers = new Map<string, number>();
  const tools = functions.map(({ name, title, description, inputSchema, annotations }): Tool => {
    const base = name.replace(OTHER_CHARACTERS, "_").slice(0, MAX_NAME_LENGTH) || "_";
    let tool = base;
    const stem = base.slice(0, MAX_NAME_LENGTH - MAX_NUMBER_LENGTH);
    let number = nextNumbers.get(stem) ?? 2;
    while (byTool.has(tool)) tool = `${stem}_${number++}`;
    nextNumbers.set(stem, number);
    byTool.set(tool, name);
    const about = tool === name ? description : [`Function ${name}`, description].join("\n").trim();
    return {
      name: tool,
      ...title === undefined ? {} : { title },
      ...about === undefined ? {} : { description: about },
      inputSchema: { ...inputSchema, type: "object" },
      ...annotations === undefined ? {} : { annotations },
    };
  });
  return { tools, functions: byTool };
}

async function callTool(
  client: Client,
  { name, args, signal }: { name: string; args: object | undefined; signal: AbortSignal },
): Promise<{ result: CallToolResult; isMissing: boolean }> {
  try {
    const value = await client.call(name, args ?? {}, { signal });
    return { result: resultOf(value), isMissing: false };
  } catch (error) {
    if (!(error instanceof CallError)) throw error;
    const { message, hint, cause } = error;
    const text = hint === undefined ? message : `${message}\nHint: ${hint}`;
    const isMissing = cause instanceof Error && "code" in cause && cause.code === "not-found";
    return { result: { content: [{ type: "text", text }], isError: true }, isMissing };
  }
}

function resultOf(value: unknown): CallToolResult {
  const text = typeof value === "string" ? value : JSON.stringify(value ?? null);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return {
    content: [{ type: "text", text }],
    ...isObject ? { structuredContent: value as Record<string, unknown> } : {},
  };
}
