import assert from "node:assert/strict";
import { inPlainWords } from "../../../../lib/functions/host/plain_words.ts";

const IN_MODULES = "to [f] in modules.ini";
/** As the runtime says it: `deno run`, an executable. */
const REMEDIES = (kind: string): string[] => [
  `run again with the --allow-${kind} flag`,
  `specify the required permissions during compilation using \`deno compile --allow-${kind}\``,
];

const REFUSALS: { kind: string; target: string; plain: string }[] = [
  {
    kind: "read",
    target: ' to "/etc/passwd"',
    plain: `not granted: add Read=/etc/passwd ${IN_MODULES}`,
  },
  {
    kind: "write",
    target: ' to "data/x y"',
    plain: `not granted: add Write=data/x y ${IN_MODULES}`,
  },
  {
    kind: "net",
    target: ' to "api.example.org:443"',
    plain: `not granted: add Net=api.example.org:443 ${IN_MODULES}`,
  },
  { kind: "net", target: ' to "[::1]:80"', plain: `not granted: add Net=[::1]:80 ${IN_MODULES}` },
  { kind: "env", target: ' to "MSP_TOKEN"', plain: `not granted: add Env=MSP_TOKEN ${IN_MODULES}` },
  {
    kind: "env",
    target: ' to "NODE_ENV"',
    plain:
      "not granted: functions get only variables that begin with MSP_, such as Env=MSP_NODE_ENV",
  },
  {
    kind: "env",
    target: "",
    plain: "not granted: a function can read only the variables that Env names",
  },
  {
    kind: "run",
    target: ' to "/bin/true"',
    plain: "not granted: a function cannot start or signal programs",
  },
  { kind: "run", target: "", plain: "not granted: a function cannot start or signal programs" },
  {
    kind: "ffi",
    target: ' to "libc.so.6"',
    plain: "not granted: a function cannot load native code",
  },
  {
    kind: "sys",
    target: ' to "hostname"',
    plain: "not granted: a function cannot ask the system for hostname",
  },
  {
    kind: "import",
    target: ' to "example.org:443"',
    plain: "example.org:443 cannot be imported: put the code into the modules folder",
  },
  {
    kind: "write",
    target: " to <TMP>",
    plain: "not granted: there is no temporary folder; use a folder that [f] grants with Write",
  },
  {
    kind: "write",
    target: "",
    plain: "not granted: a function cannot have every path, and cannot create links",
  },
];

for (const { kind, target, plain } of REFUSALS) {
  Deno.test(`inPlainWords() translates "Requires ${kind} access${target}"`, () => {
    for (const remedy of REMEDIES(kind)) {
      const text = `NotCapable: Requires ${kind} access${target}, ${remedy} (file:///m/x.js:1:1)`;
      assert.equal(inPlainWords(text, "f"), `NotCapable: ${plain} (file:///m/x.js:1:1)`);
    }
  });
}

const OTHERS: { text: string; plain: RegExp | string }[] = [
  { text: "Requires nothing of the kind", plain: "Requires nothing of the kind" },
  { text: "Error: $& $1 %s", plain: "Error: $& $1 %s" },
  {
    text: "Deno.symlinkSync() requires unscoped --allow-read and --allow-write permissions; " +
      "path-scoped grants (e.g. --allow-write=<path>) are not supported because a symlink's target " +
      "is only resolved when the link is traversed",
    plain: "a function cannot create links",
  },
  {
    text: "npm specifiers were requested; but --no-npm is specified",
    plain: /^npm: imports are not/,
  },
  {
    text: "Could not find constraint 'x' in the list of packages.",
    plain: /^npm: imports are not/,
  },
  {
    text: "Module not found: https://example.org/x.js",
    plain: /^https:\S+x\.js cannot be imported/,
  },
  { text: "Module not found: file:///m/x.js", plain: "Module not found: file:///m/x.js" },
  {
    text: 'JsErrorBox { inner: Os { code: 2, kind: NotFound, message: "No such file" } }',
    plain: "No such file (os error 2)",
  },
  {
    text: "Error: Permission denied (os error 13): readfile 'data/link'",
    plain: /'data\/link' \(the kernel's wall: \[f\] in modules\.ini does not grant this, or a link/,
  },
  { text: "getaddrinfo EPERM example.org", plain: /\(the kernel's wall: \[f\]/ },
];

for (const { text, plain } of OTHERS) {
  Deno.test(`inPlainWords() says "${text.slice(0, 60)}" in plain words`, () => {
    const found = inPlainWords(text, "f");
    if (typeof plain === "string") assert.equal(found, plain);
    else assert.match(found, plain);
  });
}
