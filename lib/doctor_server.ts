/**
 * @module
 * What the server that runs in an installation can tell, for the doctor: its version, whether it has the
 * present config.ini, and which of its functions do not work.
 */
import type { Settings } from "./config/settings.ts";
import { directFetch } from "./http/direct.ts";
import type { Finding } from "./keys/findings.ts";
import { networkReason } from "./network_reason.ts";
import { findServer, type ServerAtWork } from "./state.ts";
import { VERSION } from "./version.ts";

const TIMEOUT_MS = 5000;

/** What was found, and what is good to know. */
export interface ServerExamination {
  readonly findings: readonly Finding[];
  readonly facts: readonly string[];
}

/** Asks the running server, if there is one. */
export async function checkServer(
  { stateFolder }: Settings,
  configPath: string,
): Promise<ServerExamination> {
  const server = await findServer(stateFolder);
  if (server === undefined) return { findings: [], facts: [`no server uses ${stateFolder}`] };
  const { name, url, version, admin } = server;
  const findings: Finding[] = [];
  if (version !== undefined && version !== VERSION) {
    const what = `the running server (${name}) is version ${version}, this program is ${VERSION}`;
    findings.push(note(what, "restart the server"));
  }
  const changed = await changedSince(configPath, server);
  if (changed) {
    findings.push(note(`${configPath} was changed after the start`, "restart the server"));
  }
  if (admin !== undefined) findings.push(...await checkFunctions(admin, name));
  const where = url === undefined ? "does not listen yet" : `listens on ${url}`;
  return {
    findings,
    facts: [`the running server (${name}, version ${version ?? "unknown"}) ${where}`],
  };
}

async function changedSince(path: string, { startedAt }: ServerAtWork): Promise<boolean> {
  const changedAt = (await Deno.stat(path).catch(() => undefined))?.mtime ?? null;
  return startedAt !== null && changedAt !== null && changedAt > startedAt;
}

/** Functions that do not work in the server, from its metrics. */
async function checkFunctions(admin: string, name: string): Promise<Finding[]> {
  const url = new URL("/metrics", admin);
  let text: string;
  try {
    const response = await directFetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    text = await response.text();
  } catch (error) {
    const what = `Cannot reach ${url.href} of the running server (${name}): ${
      networkReason(error).state
    }`;
    return [{ level: "wrong", what, remedy: "see the server's log" }];
  }
  return [...text.matchAll(/^msp_function_up\{function="([^"]*)"\} 0$/gm)].map((
    [, functionName],
  ) => ({
    level: "wrong",
    what: `function ${functionName} does not work in the running server (${name})`,
    remedy: "see the server's log",
  }));
}

function note(what: string, remedy: string): Finding {
  return { level: "note", what, remedy };
}
