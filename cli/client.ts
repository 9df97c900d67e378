/**
 * @module
 * What the commands of a client have in common: their flags, a connection by a profile, and errors in
 * words.
 */
import { type CallOptions, Connection, type FunctionInfo } from "../client/connection.ts";
import { CallError as ClientError } from "../client/errors.ts";
import { endpointOf } from "../client/url.ts";
import { describeCallError } from "./call_error.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts, Io } from "./command.ts";
import { Network } from "./network.ts";
import { chooseProfile, type NamedProfile } from "./profiles.ts";
import { suggestion } from "../lib/suggest.ts";

/** The flags of every command that calls a server. */
export const CLIENT_FLAGS = {
  timeout: { value: "SECONDS", meaning: "how long to wait for an answer (default 60)" },
  ca: { value: "FILE", meaning: "certificate authority to trust for https, in PEM" },
  verbose: { meaning: "tell on standard error what is sent and received" },
} as const;

/** Values of these flags. */
export interface ClientFlags {
  readonly timeout: string | undefined;
  readonly ca: string | undefined;
  readonly verbose: boolean;
}

const DEFAULT_TIMEOUT_SECONDS = 60;
const MAX_TIMEOUT_SECONDS = 86_400;
/** The largest MaxResult is 64 MiB, which JSON may write longer. */
const MAX_ANSWER_BYTES = 96 * 1024 * 1024;

/** @throws {UsageError} when it is not a number of seconds. */
export function timeoutOf(texts: CommandTexts, { timeout }: ClientFlags): number {
  const seconds = timeout === undefined ? DEFAULT_TIMEOUT_SECONDS : Number(timeout.trim() || NaN);
  if (seconds > 0 && seconds <= MAX_TIMEOUT_SECONDS) return seconds * 1000;
  const given = JSON.stringify(timeout?.slice(0, 80));
  throw wrongUsage(texts, `--timeout ${given}, expected seconds, at most ${MAX_TIMEOUT_SECONDS}`);
}

/** What says the lines of --verbose. */
export function verboseNote(
  { verbose }: ClientFlags,
  io: Io,
): ((line: string) => void) | undefined {
  return verbose ? io.note : undefined;
}

/** What a server says of its functions, as far as it has the right form. */
export function readFunctions(list: unknown): FunctionInfo[] {
  if (!Array.isArray(list)) return [];
  return list.filter((each) => typeof each?.name === "string").map((each) => ({
    name: each.name,
    ...typeof each.title === "string" ? { title: each.title } : {},
    ...typeof each.description === "string" ? { description: each.description } : {},
    inputSchema: isObject(each.inputSchema) ? each.inputSchema : {},
    ...isObject(each.annotations) ? { annotations: each.annotations } : {},
  }));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A server, by a profile. To be disposed. */
export class Client {
  readonly #network: Network;
  readonly #url: URL;

  private constructor(
    readonly name: string,
    readonly connection: Connection,
    network: Network,
    url: URL,
  ) {
    this.#network = network;
    this.#url = url;
  }

  /**
   * Nothing is sent yet.
   *
   * @param named as on the command line, or nothing
   * @throws {KeyFileError} when there is no such profile.
   */
  static async open(
    texts: CommandTexts,
    { flags, named }: { flags: ClientFlags; named: string | undefined },
    io: Io,
  ): Promise<Client> {
    const timeoutMs = timeoutOf(texts, flags);
    const { name, profile }: NamedProfile = await chooseProfile(named, io);
    const url = endpointOf(profile.url);
    const note = verboseNote(flags, io);
    note?.(`profile ${name}`);
    const network = await Network.open(url, { ca: flags.ca, note });
    const connection = new Connection(profile, {
      fetch: network.fetch,
      timeoutMs,
      maxAnswerBytes: MAX_ANSWER_BYTES,
    });
    return new Client(name, connection, network, url);
  }

  /**
   * Calls a function.
   *
   * @throws {CallError} of this program when there is no result.
   */
  async call(functionName: string, params?: object, options?: CallOptions): Promise<unknown> {
    try {
      return await this.connection.call(functionName, params, options);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      const network = this.#network;
      const hint = error.code === "not-found" ? await this.#whatIsThere(functionName) : undefined;
      const context = { url: this.#url, functionName, protocol: "v2", network, hint } as const;
      throw describeCallError(error, context);
    }
  }

  /**
   * The functions that this client may call.
   *
   * @throws {CallError} of this program when the server does not say.
   */
  async functions(): Promise<FunctionInfo[]> {
    return readFunctions(await this.call("rpc.functions"));
  }

  async #whatIsThere(functionName: string): Promise<string | undefined> {
    if (functionName === this.name) return `${this.name} is a profile: the function comes after it`;
    const found = await this.connection.functions().catch(() => undefined);
    if (found === undefined) return undefined;
    if (found.length === 0) return "this client may call no function of this server";
    const meant = suggestion(functionName, found.map(({ name }) => name));
    const help = `msp describe ${this.name} lists what this client may call`;
    return meant === undefined ? help : `did you mean ${meant}? ${help}`;
  }

  [Symbol.dispose](): void {
    this.connection.close();
    this.#network[Symbol.dispose]();
  }
}
