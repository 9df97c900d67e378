/**
 * @module
 * `msp doctor`: looks for what is wrong.
 */
import { rememberPermissions } from "../lib/config/permissions.ts";
import { examine } from "../lib/doctor.ts";
import { wrongUsage } from "./arguments.ts";
import type { CommandTexts } from "./command.ts";
import { defineCommand } from "./define.ts";
import { existingPaths, PATH_FLAGS } from "./paths.ts";
import { oneLine } from "./render.ts";

const TEXTS = {
  name: "doctor",
  summary: "look for what is wrong, and say what to do",
  args: [],
  flags: {
    json: { meaning: "print an array of objects: level (wrong or note), what, remedy" },
    url: { value: "URL", meaning: "compare this machine's clock with that of this server" },
    ...PATH_FLAGS,
  },
  description:
    `Checks config.ini, the key store, the certificate, the clock, modules.ini and the modules, and asks ` +
    `the server that runs in this installation. Loads each module as the server would. Changes nothing.

"wrong" needs a correction, and the exit status is 1. "note" works, but can be better.`,
  example: "msp doctor",
} as const satisfies CommandTexts;

/** The command. */
export const doctor = defineCommand({
  ...TEXTS,
  async run({ flags }, io): Promise<number> {
    const url = flags.url === undefined ? undefined : URL.parse(flags.url);
    if (url === null || url !== undefined && !/^https?:$/.test(url.protocol)) {
      throw wrongUsage(TEXTS, "--url, expected a URL such as https://home.example/v1");
    }
    const { findings, facts } = await examine({
      paths: await existingPaths(flags, io),
      overrides: { env: io.env },
      isHeld: rememberPermissions(),
      nowSeconds: Math.floor(Date.now() / 1000),
      clockUrl: url,
    });
    const isWrong = findings.some(({ level }) => level === "wrong");
    if (flags.json) io.out(`${JSON.stringify(findings, null, 2)}\n`);
    else {
      const { error, warning } = io.style;
      const lines = findings.map(({ level, what, remedy }) =>
        `${level === "wrong" ? error(level) : warning(level)}: ${
          oneLine(what)
        }\n  remedy: ${remedy}\n`
      );
      if (lines.length === 0) lines.push("Nothing found\n");
      io.out([...facts.map((fact) => `${fact}\n`), ...lines].join(""));
    }
    return isWrong ? 1 : 0;
  },
});
