/**
 * @module
 * What the runtime and the kernel say when they refuse something to a function, in words of modules.ini:
 * flags of Deno are nothing that a user of this program can give.
 */

/** A text in it, and what stands for it; `section` is the function's in modules.ini. */
type Rule = readonly [pattern: RegExp, words: (section: string, ...groups: string[]) => string];

/** "run again with …" of `deno run`, "specify …" of an executable. */
const REMEDY =
  "(?:run again with the --allow-\\w+ flag|specify the required permissions during compilation using " +
  "`deno compile --allow-\\w+`)";

const RULES: readonly Rule[] = [
  [
    new RegExp(`Requires (\\w+) access(?: to (?:"([^"]*)"|<(\\w+)>))?, ${REMEDY}`, "g"),
    (section, kind = "", target = "", place = "") => refusedByRuntime(section, kind, target, place),
  ],
  [
    /Deno\.\w+\(\) requires unscoped --allow-.*?(?:is traversed|$)/g,
    () => "a function cannot create links",
  ],
  [
    /Can't escalate parent thread permissions/g,
    () => "a worker cannot have more permissions than its function",
  ],
  [
    /npm specifiers were requested; but --no-npm is specified|Could not find constraint '[^']*' in the list of packages\./g,
    () => "npm: imports are not available to functions: put the code into the modules folder",
  ],
  [
    /(?:JSR package manifest for '[^']*' failed to load\. )?Module not found: ((?:https?|jsr):\S*)/g,
    (_, url) => `${url} cannot be imported: put the code into the modules folder`,
  ],
  [
    /JsErrorBox \{ inner: Os \{ code: (\d+), kind: \w+, message: "([^"]*)" \} \}/g,
    (_, code, message) => `${message} (os error ${code})`,
  ],
];

/** The kernel's refusals: of a file's mode, and of the wall. */
const KERNEL =
  /Permission denied \(os error 13\)|Operation not permitted \(os error 1\)|\bE(?:ACCES|PERM): |getaddrinfo EPERM/;

/**
 * A text about an error, in plain words.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * const text = 'NotCapable: Requires read access to "/x", run again with the --allow-read flag';
 * assert.equal(
 *   inPlainWords(text, "weather"),
 *   "NotCapable: not granted: add Read=/x to [weather] in modules.ini",
 * );
 * ```
 */
export function inPlainWords(text: string, functionName: string): string {
  const section = `[${functionName}]`;
  let plain = text;
  for (const [pattern, words] of RULES) {
    plain = plain.replace(
      pattern,
      (_, ...groups: unknown[]) =>
        words(section, ...groups.map((group) => typeof group === "string" ? group : "")),
    );
  }
  if (!KERNEL.test(plain)) return plain;
  return `${plain} (the kernel's wall: ${section} in modules.ini does not grant this, or a link leads ` +
    "out of what it grants; or the owner and mode of the file forbid it)";
}

function refusedByRuntime(section: string, kind: string, target: string, place: string): string {
  const add = (option: string): string =>
    `not granted: add ${option}=${target} to ${section} in modules.ini`;
  switch (kind) {
    case "read":
    case "write":
      if (target !== "") return add(kind === "read" ? "Read" : "Write");
      return place === "TMP"
        ? `not granted: there is no temporary folder; use a folder that ${section} grants with Write`
        : "not granted: a function cannot have every path, and cannot create links";
    case "net":
      return add("Net");
    case "env":
      return describeVariable(section, target);
    case "run":
      return "not granted: a function cannot start or signal programs";
    case "ffi":
      return "not granted: a function cannot load native code";
    case "import":
      return `${target} cannot be imported: put the code into the modules folder`;
  }
  return `not granted: a function cannot ask the system for ${target || kind}`;
}

function describeVariable(section: string, name: string): string {
  if (name === "") return "not granted: a function can read only the variables that Env names";
  if (/^(?:MSP_|TZ$)/.test(name)) {
    return `not granted: add Env=${name} to ${section} in modules.ini`;
  }
  return `not granted: functions get only variables that begin with MSP_, such as Env=MSP_${name}`;
}
