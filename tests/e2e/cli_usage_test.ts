import assert from "node:assert/strict";
import { loadCommands } from "../../cli/commands.ts";
import { PROGRAM, run } from "../program.ts";
import { msp, mspOk, TempFolder } from "../program.ts";

const WRONG_USAGE = [
  { args: ["nonsense"], error: /there is no such command/, hint: /msp help lists/ },
  { args: ["Serve"], error: /there is no such command/, hint: /did you mean msp serve\?/ },
  { args: ["list"], error: /there is no such command/, hint: /did you mean msp listclients\?/ },
  { args: ["doktor"], error: /there is no such command/, hint: /did you mean msp doctor\?/ },
  { args: [""], error: /Cannot run "": there is no such command/, hint: /msp help/ },
  { args: ["--hepl"], error: /unknown option --hepl/, hint: /did you mean --help\?/ },
  { args: ["--prot", "80"], error: /unknown option --prot/, hint: /did you mean --port\?/ },
  { args: ["--json"], error: /unknown option --json/, hint: /those of msp serve/ },
  { args: ["-x"], error: /unknown option -x/, hint: /those of msp serve/ },
  { args: ["--version", "x"], error: /Cannot run version: unexpected argument "x"/, hint: /usage/ },
  { args: ["serve", "--nonsense"], error: /unknown option --nonsense/, hint: /msp help serve/ },
  { args: ["serve", "--hots", "x"], error: /unknown option --hots/, hint: /mean --host\?/ },
  { args: ["serve", "extra"], error: /unexpected argument "extra"/, hint: /usage/ },
  { args: ["serve", "--port"], error: /--port needs a value: PORT/, hint: /usage/ },
  { args: ["serve", "--port", "--host"], error: /--port needs a value/, hint: /--port=--host/ },
  { args: ["serve", "--port", "-1"], error: /--port needs a value/, hint: /--port=-1/ },
  { args: ["doctor", "--json=x"], error: /--json takes no value/, hint: /usage/ },
  { args: ["keygen"], error: /private\|public\|pair is missing/, hint: /usage: msp keygen/ },
  { args: ["keygen", "pair"], error: /NAME is missing/, hint: /usage/ },
  {
    args: ["keygen", "triple", "x"],
    error: /"triple", expected private, public or/,
    hint: /usage/,
  },
  { args: ["keygen", "constructor", "x"], error: /expected private, public or/, hint: /usage/ },
  { args: ["keygen", "pair", "x", "y"], error: /unexpected argument "y"/, hint: /usage/ },
  { args: ["keygen", "pair", "caf\ufffd"], error: /an argument is not UTF-8 text/ },
  { args: ["appendclient"], error: /KEY\|FILE\|- is missing/, hint: /usage/ },
  { args: ["purgeclients", "all"], error: /unexpected argument "all"/, hint: /usage/ },
  {
    args: ["call", "localhost:8000", "f"],
    error: /"localhost:8000", expected a URL/,
    hint: /usage/,
  },
  { args: ["call", "u:canary@h", "f"], error: /expected a URL/, hint: /usage/ },
  { args: ["call", "http://localhost:8000/v1"], error: /FUNCTION is missing/, hint: /usage/ },
  { args: ["health", "ftp://x"], error: /"ftp:\/\/x", expected a URL/, hint: /usage/ },
  { args: ["doctor", "--url", "x"], error: /--url, expected a URL/, hint: /usage/ },
  { args: ["help", "nonsense"], error: /there is no such command/, hint: /msp help/ },
  {
    args: ["serve", "--port", "70000"],
    error: /--port "70000", expected a whole number from 0 to/,
  },
  { args: ["serve", "--host", "a b"], error: /--host "a b", expected an IP address/ },
  { args: ["serve", "--functions-user", "root"], error: /"root", expected none, or the numbers/ },
  { args: ["serve", "--config=~/x.ini"], error: /--config "~\/x\.ini", expected a path; nothing/ },
  { args: ["invite"], error: /the address of the server is not known/, hint: /--url/ },
  { args: ["invite", "--url", "home"], error: /--url, expected an address/, hint: /leave out/ },
  { args: ["invite", "7", "--url", "http://h"], error: /NAME "7", expected/, hint: /usage/ },
  { args: ["invite", "--uses", "0"], error: /--uses "0", expected a whole number/, hint: /usage/ },
  { args: ["join", "canary"], error: /LINK is not complete/, hint: /whole link/ },
  { args: ["join", "http://h/join#2.canary"], error: /version 2, expected 1/, hint: /link/ },
  { args: ["rotate-secrets", "--grace", "2d"], error: /--grace "2d", expected hours from 0 to/ },
];

Deno.test("wrong usage is exit status 2 with one error and a hint that fits, and creates nothing", async () => {
  assert.ok(WRONG_USAGE.length > 0);
  await using folder = await TempFolder.make();
  for (const { args, error, hint } of WRONG_USAGE) {
    const { code, out, err } = await msp(args, { cwd: folder.path });
    assert.deepEqual([code, out], [2, ""], `${args}: ${err}`);
    assert.match(err, error);
    if (hint === undefined) assert.doesNotMatch(err, /hint/);
    else assert.match(err, new RegExp(`hint: .*${hint.source}`));
    assert.match(err, /^msp: error: [^\n]+\n(msp: hint: [^\n]+\n)?$/);
    assert.doesNotMatch(err, /canary/);
  }
  assert.deepEqual(await folder.names(), []);
});

Deno.test("every command explains itself within 80 columns, with an example", async () => {
  await using folder = await TempFolder.make();
  const options = { cwd: folder.path };
  const overview = await mspOk(["help"], options);
  assert.equal(await mspOk(["-h"], options), overview);
  assert.equal(await mspOk(["--help"], options), overview);
  const commands = await loadCommands();
  assert.ok(commands.length > 10);
  for (const { name, flags } of commands) {
    assert.match(overview, new RegExp(`^  ${name} `, "m"));
    const text = await mspOk([name, "--help"], options);
    assert.match(text, new RegExp(`^Usage: msp ${name} `, "m"));
    assert.match(text, /^Example:\n {2}msp /m);
    for (const flag of Object.keys(flags)) assert.match(text, new RegExp(`^  --${flag}\\b`, "m"));
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${name}: ${line}`);
    assert.ok(!text.includes("\x1b"), "no colours in a file");
  }
  for (const args of [["help", "keygen"], ["keygen", "-h"], ["keygen", "pair", "x", "--help"]]) {
    assert.equal(await mspOk(args, options), await mspOk(["keygen", "--help"], options));
  }
  assert.deepEqual(await folder.names(), []);
});

Deno.test("the version has four spellings", async () => {
  await using folder = await TempFolder.make();
  const text = await mspOk(["version"], { cwd: folder.path });
  assert.match(text, /^msp \d+\.\d+\.\d+ \(Mini Share Point; /);
  for (const word of ["--version", "-V", "-v"]) {
    assert.equal(await mspOk([word], { cwd: folder.path }), text);
  }
});

Deno.test("a terminal gets colours, unless NO_COLOR is set", async () => {
  await using folder = await TempFolder.make();
  const line = (words: string): string => [...PROGRAM.map((word) => `'${word}'`), words].join(" ");
  const onTerminal = async (words: string, color: string): Promise<string> => {
    const script = `${color} script -qec "${line(words)}" /dev/null`;
    return (await run(["bash", "-c", script], { cwd: folder.path })).out;
  };
  const colours = "unset NO_COLOR;";
  assert.ok((await onTerminal("help", colours)).includes("\x1b[1mUsage:\x1b[0m"));
  assert.ok((await onTerminal("nonsense", colours)).includes("msp: \x1b[31merror:\x1b[0m "));
  assert.ok(!(await onTerminal("help", "export NO_COLOR=1;")).includes("\x1b"));
});

Deno.test("a variable of the environment that is not UTF-8 is an error where it counts", async () => {
  await using folder = await TempFolder.make();
  const line = PROGRAM.map((word) => `'${word}'`).join(" ");
  const withVariable = (name: string, words: string) =>
    run(["bash", "-c", `${name}=$'\\xff' ${line} ${words}`], { cwd: folder.path });
  assert.equal((await withVariable("OTHER", "help")).code, 0);
  const { code, out, err } = await withVariable("MSP_CONFIG_PATH", "listclients");
  assert.deepEqual([code, out], [1, ""]);
  assert.equal(err, "msp: error: Cannot use MSP_CONFIG_PATH: its value is not UTF-8 text\n");
});
