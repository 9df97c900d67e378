/**
 * @module
 * `msp health`: whether the server takes requests.
 */
import { readSettings } from "../lib/config/settings.ts";
import { UsageError } from "../lib/errors.ts";
import { checkHealth, checkUrl } from "../lib/health.ts";
import { type Command, parseArguments } from "./command.ts";
import { CONFIG_DETAILS, CONFIG_OPTION, configPath } from "./paths.ts";

/** The subcommand. */
export const health: Command = {
  name: "health",
  usage: "health [URL] [--config F]",
  summary: "tell whether the server takes requests",
  details:
    `Without a URL, asks where config.ini says that the server listens: its admin address if it has one,
else its endpoint. A URL is that of /healthz, or of an endpoint. Exit code 1 when there is no answer, or
another than a server that takes requests gives.

${CONFIG_DETAILS}`,
  example: "msp health",
  async run(args, io): Promise<number> {
    const { values, positionals } = parseArguments(health, args, {
      options: CONFIG_OPTION,
      positionals: [],
      optional: ["URL"],
    });
    const [url] = positionals;
    if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      throw new UsageError(
        `Cannot run health: ${
          JSON.stringify(url)
        }, expected a URL such as http://127.0.0.1:9101/healthz`,
        { hint: `usage: msp ${health.usage}` },
      );
    }
    const state = url === undefined
      ? await checkHealth((await readSettings(configPath(values, io.env))).settings)
      : await checkUrl(url);
    io.out(`${state}\n`);
    return 0;
  },
};
