/**
 * @module
 * `msp serve`: starts the server and runs until a signal ends it.
 */
import { readSettings, type Settings } from "../lib/config/settings.ts";
import { checkTimeZone } from "../lib/doctor_clock.ts";
import { describeInstallation, type ServerPaths } from "../lib/first_start.ts";
import { logSettingsFrom } from "../lib/log.ts";
import { findForeignFolder } from "../lib/owner.ts";
import { count } from "../lib/prose.ts";
import { startServer } from "../lib/server.ts";
import type { Io } from "./command.ts";
import { defineCommand } from "./define.ts";
import { creatablePaths, PATH_FLAGS } from "./paths.ts";

/** The command. */
export const serve = defineCommand({
  name: "serve",
  summary: "start the server (also without a command)",
  args: [],
  flags: {
    host: {
      value: "HOST",
      meaning: "address to listen on (default 0.0.0.0: every interface, IPv4)",
    },
    port: { value: "PORT", meaning: "port to listen on (default 8000); 0 selects a free port" },
    ...PATH_FLAGS,
    "functions-user": {
      value: "UID:GID",
      meaning: "user and group of function processes, or none (MSP_FUNCTIONS_USER)",
    },
  },
  description:
    `The first start creates missing files and folders in the working folder. Existing files are never ` +
    `changed. A flag overrides the environment, the environment overrides config.ini.

The log goes to standard error and to latest.log. MSP_LOGLEVEL is DEBUG, INFO, WARNING, ERROR or CRITICAL ` +
    `(default INFO). MSP_MAXLOGS is the number of rotated files that are kept (default 5).

The server reloads the key store and the modules within a second of a change, and at once on SIGHUP. ` +
    `SIGTERM and SIGINT stop it: it waits for the requests in flight, 10 seconds at most.`,
  example: "msp serve --port 8080",
  async run({ flags }, io): Promise<number> {
    const paths = await creatablePaths(flags, io);
    const overrides = { flags, env: io.env };
    const log = logSettingsFrom(io.env);
    const { settings } = await readSettings(paths.config, overrides);
    await announce(paths, settings, io);
    const terminated = io.terminated();
    const server = await startServer({ paths, log, overrides, early: io.early });
    try {
      io.out(
        `Mini Share Point is ready on ${server.url} (listening on ${server.listening}), ` +
          `server public key ${server.publicKeyBase64}\n`,
      );
      io.onReload(() => void server.reload());
      await terminated;
    } finally {
      await server.stop();
    }
    return 0;
  },
});

/** How a first client comes in. */
function firstClient({ v2, publicUrl }: Settings): string {
  if (!v2.isEnabled) return "msp keygen pair client on the client, then msp appendclient KEY";
  const url = publicUrl === undefined ? " --url URL" : "";
  return `msp invite NAME${url}, then msp join 'LINK' on the client`;
}

/** Says first where this happens: a start in the wrong folder creates a new installation there. */
async function announce(paths: ServerPaths, settings: Settings, io: Io): Promise<void> {
  // A program that reads JSON from standard error must get nothing else.
  if (settings.logFormat === "json") return;
  const { place, isNew, clientCount } = await describeInstallation(paths, settings.store);
  if (Deno.cwd() === "/" && place === "/") {
    io.note(
      "the working folder is /: the server can read and write the whole disk, except system files",
    );
  }
  const { store: { serverFolder, clientsFolder }, stateFolder } = settings;
  const foreign = await findForeignFolder([serverFolder, clientsFolder, stateFolder, paths.log]);
  if (foreign !== undefined) {
    io.note(
      `${foreign.path} belongs to user ${foreign.uid}, who can lead a server of root to any file: ` +
        `run it as that user, sudo -u '#${foreign.uid}' msp serve`,
    );
  }
  io.note(
    isNew
      ? `creating a new installation in ${place}`
      : `serving ${place} with ${count(clientCount, "registered client")}`,
  );
  const zone = checkTimeZone(Deno.env.get("TZ"));
  if (zone !== undefined) io.note(zone.what);
  if (clientCount > 0) return;
  io.note(`next: ${firstClient(settings)}`);
}
