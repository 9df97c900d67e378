/**
 * @module
 * `msp doctor`: looks for what is wrong.
 */
import { rememberPermissions } from "../lib/config/permissions.ts";
import { examine } from "../lib/doctor.ts";
import { type Command, parseArguments } from "./command.ts";
import { PATH_DETAILS, PATH_OPTIONS, serverPaths } from "./paths.ts";

/** The subcommand. */
export const doctor: Command = {
  name: "doctor",
  usage: "doctor [--json] [--config F] [--modules-config F] [--modules DIR] [--log-dir D]",
  summary: "look for what is wrong, and say what to do",
  details:
    `Looks at modes and formats of the key store, duplicates, unsafe keys, secrets without a client, the
certificate, the clock, config.ini, modules.ini and the modules. Changes nothing. Exit code 1 when something is wrong;
notes are for what works and could be better.

  --json                 prints an array of objects: level (wrong or note), what, remedy
${PATH_DETAILS}`,
  example: "msp doctor",
  async run(args, io): Promise<number> {
    const { values } = parseArguments(doctor, args, {
      options: { ...PATH_OPTIONS, json: { type: "boolean" } },
      positionals: [],
    });
    const { findings, facts } = await examine({
      paths: serverPaths(values, io.env),
      overrides: { env: io.env },
      isHeld: rememberPermissions(),
      nowSeconds: Math.floor(Date.now() / 1000),
    });
    if (values["json"] === true) io.out(`${JSON.stringify(findings, null, 2)}\n`);
    else {
      for (const fact of facts) io.out(`${fact}\n`);
      if (findings.length === 0) io.out("Nothing found\n");
      for (const { level, what, remedy } of findings) {
        io.out(`${level}: ${what}\n  remedy: ${remedy}\n`);
      }
    }
    return findings.some(({ level }) => level === "wrong") ? 1 : 0;
  },
};
