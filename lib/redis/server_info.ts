/**
 * @module
 * What a Redis or Valkey server says of itself (`INFO`).
 */
import { RedisError } from "./connection.ts";

/** The parts that count. */
export interface ServerInfo {
  /** 40 hex digits, new with every start of the server. */
  readonly runId: string;
  /** `master` or `slave`. */
  readonly role: string;
  readonly version: string;
  /** What it does when its memory is full: `noeviction` refuses writes. */
  readonly evictionPolicy: string | undefined;
  /** Replicas that follow it. */
  readonly replicas: number;
}

/**
 * Reads the reply to `INFO`.
 *
 * @throws {RedisError} when it does not name the run and the role.
 */
export function readServerInfo(reply: unknown): ServerInfo {
  const lines = typeof reply === "string" ? reply.split(/\r?\n/) : [];
  const values = new Map(lines.map((line) => {
    const at = line.indexOf(":");
    return [line.slice(0, at), line.slice(at + 1)] as const;
  }));
  const runId = values.get("run_id") ?? "", role = values.get("role");
  if (!/^[0-9a-f]{40}$/.test(runId) || role === undefined) {
    throw new RedisError("INFO", "its INFO names neither run_id nor role");
  }
  return {
    runId,
    role,
    version: values.get("valkey_version") ?? values.get("redis_version") ?? "unknown",
    evictionPolicy: values.get("maxmemory_policy"),
    replicas: Number(values.get("connected_slaves") ?? 0),
  };
}
