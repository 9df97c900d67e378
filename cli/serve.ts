/**
 * @module
 * `msp serve`: starts the server and runs until a signal ends it.
 */
import { logSettingsFrom } from "../lib/log.ts";
import { type ServerOptions, startServer } from "../lib/server.ts";
import { type Command, parseArguments } from "./command.ts";
import { PATH_DETAILS, PATH_OPTIONS, serverPaths } from "./paths.ts";

/** The subcommand. */
export const serve: Command = {
  name: "serve",
  usage:
    "[serve] [--host H] [--port N] [--config F] [--modules-config F] [--modules DIR] [--log-dir D] [--functions-user U]",
  summary: "start the server (also without a subcommand)",
  details: `Missing files and folders are made at the first start; existing ones are never touched.
A flag overrides config.ini, and config.ini overrides the default.

  --host HOST            address to listen on (default 0.0.0.0: every interface, IPv4)
  --port PORT            port to listen on (default 8000); 0 takes a free one and says which
${PATH_DETAILS}
  --functions-user U     user and group of functions, UID:GID, or none; overrides [Functions] User

The log goes to standard error and to latest.log. MSP_LOGLEVEL: DEBUG, INFO, WARNING, ERROR or
CRITICAL (default INFO); MSP_MAXLOGS: rotated files that are kept (default 5).
Changes of the key store and of modules are noticed within a second, on SIGHUP at once.
SIGTERM and SIGINT stop the server when the requests in flight have ended, 10 s at most.`,
  example: "msp serve --port 8080",
  async run(args, io): Promise<number> {
    const options = {
      ...PATH_OPTIONS,
      host: { type: "string" },
      port: { type: "string" },
      "functions-user": { type: "string" },
    } as const;
    const { values } = parseArguments(serve, args, { options, positionals: [] });
    const serverOptions: ServerOptions = {
      paths: serverPaths(values, io.env),
      log: logSettingsFrom(io.env),
      overrides: { flags: values, env: io.env },
    };
    const terminated = io.terminated();
    const server = await startServer(serverOptions);
    io.out(
      `Mini Share Point is ready on ${server.url} (listening on ${server.listening}), ` +
        `server public key ${server.publicKeyBase64}\n`,
    );
    io.onReload(() => void server.reload());
    await terminated;
    await server.stop();
    return 0;
  },
};
