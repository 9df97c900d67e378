/**
 * @module
 * `msp health`: whether the server takes requests.
 */
import { checkHealth, checkUrl } from "../lib/health.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts } from "./command.ts";
import { defineCommand } from "./define.ts";
import { CONFIG_FLAG, openSettings } from "./paths.ts";

const TEXTS = {
  name: "health",
  summary: "tell whether the server takes requests",
  args: ["[URL]"],
  flags: CONFIG_FLAG,
  description:
    `Without a URL, asks the server that runs in this installation: its admin address where it has one, ` +
    `else its endpoint. A URL is that of /healthz or of an endpoint. No proxy is used. The exit status ` +
    `is 1 when the server does not answer, or not as a server that takes requests.`,
  example: "msp health",
} as const satisfies CommandTexts;

/** The command. */
export const health = defineCommand({
  ...TEXTS,
  async run({ flags, args: [url] }, io): Promise<number> {
    if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
      const expected = "expected a URL such as http://127.0.0.1:9101/healthz";
      throw wrongUsage(TEXTS, `${JSON.stringify(url)}, ${expected}`);
    }
    const state = url === undefined
      ? await checkHealth((await openSettings(flags, io)).settings)
      : await checkUrl(url);
    io.out(`${state}\n`);
    return 0;
  },
});
