import assert from "node:assert/strict";
import { join } from "node:path";
import { repositoryPath } from "../../tasks/root.ts";
import { hasPython, PYTHON, testIf } from "../conditions.ts";
import { mspOk, run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const SCRIPT = repositoryPath("tests/interop/msp_v1.py");
const HAS_PYTHON = await hasPython("nacl.public", "requests");

function pythonTest(name: string, fn: () => Promise<void>): void {
  testIf(HAS_PYTHON, "python3-nacl or python3-requests is not installed", name, fn);
}

async function python(args: readonly string[], cwd: string): Promise<string> {
  const { code, out, err } = await run([PYTHON, SCRIPT, ...args], { cwd });
  assert.equal(code, 0, err);
  return out;
}

pythonTest(
  "a Python client calls our server, on a key store that our commands created",
  async () => {
    await using folder = await TempFolder.make();
    await registerClient(folder, "client", ["--plain"]);
    // The original reads one line of a client's file: it does not see rules.
    await registerClient(folder, "second", ["--plain", "--name", "phone", "--rate", "30/min"]);
    await mspOk(["client", "phone", "--functions", "time_*, !x"], { cwd: folder.path });
    assert.equal((await folder.read("sec/client_2.pub")).trimEnd().split("\n").length, 5);
    assert.equal(await python(["check-store", "."], folder.path), "2 2\n");
    await using server = await ServerProcess.start({ cwd: folder.path });
    const answer = await python(["call", server.url, "time_test", "."], folder.path);
    assert.match(answer, /^It is currently: \n\t.{24}$/);
    const slash = await python(["call", `${server.url}/`, "Time_Test", "."], folder.path);
    assert.match(slash, /^It is currently: /);
    const refused = await run([PYTHON, SCRIPT, "call", server.url, "nothing", "."], {
      cwd: folder.path,
    });
    assert.match(refused.err, /status 401/);
  },
);

pythonTest(
  "our server serves all twelve clients of a key store that Python created",
  async () => {
    await using folder = await TempFolder.make();
    await python(["make-store", ".", "12"], folder.path);
    await using server = await ServerProcess.start({ cwd: folder.path });
    for (let number = 1; number <= 12; number++) {
      const answer = await python(["call", server.url, "time_test", `home${number}`], folder.path);
      assert.match(answer, /^It is currently: /);
    }
    await mspOk(["keygen", "pair", "new"], { cwd: folder.path });
    await mspOk(["appendclient", await folder.read("new.pub"), "--plain"], { cwd: folder.path });
    assert.equal(await python(["check-store", "."], folder.path), "13 13\n");
    assert.ok((await folder.names("sec")).includes("client_13.pub"));
  },
);

pythonTest(
  "our client calls a Python server, which finds nothing wrong with the request",
  async () => {
    await using folder = await TempFolder.make();
    await registerClient(folder, "client", ["--plain"]);
    const process = new Deno.Command(PYTHON, {
      args: [SCRIPT, "serve", "."],
      cwd: folder.path,
      stdout: "piped",
    }).spawn();
    const chunks = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    /** The next line; a chunk may hold a part of one, or several. */
    const nextLine = async (): Promise<string> => {
      for (let end = text.indexOf("\n");; end = text.indexOf("\n")) {
        const line = text.slice(0, end);
        if (end >= 0) text = text.slice(end + 1);
        if (end >= 0) return line;
        const { value, done } = await chunks.read();
        assert.ok(!done, "the Python server ended");
        text += value;
      }
    };
    const port = Number(await nextLine());
    const url = `http://127.0.0.1:${port}/v1`;
    const answer = await mspOk(["call", url, "zeit_prüfung"], { cwd: folder.path });
    assert.equal(answer, "grüße\n\taus Python\n");
    assert.deepEqual(JSON.parse(await nextLine()), []);
    await chunks.cancel();
    assert.equal((await process.status).code, 0);
  },
);

pythonTest(
  "Python reads the keys that our commands created",
  async () => {
    await using folder = await TempFolder.make();
    await mspOk(["keygen", "pair", "k"], { cwd: folder.path });
    const code = `
import base64, nacl.public
key = nacl.public.PrivateKey(base64.b64decode(open("k.key").read()))
assert base64.b64encode(bytes(key.public_key)).decode() == open("k.pub").read()
`;
    const { code: status, err } = await run([PYTHON, "-c", code], { cwd: join(folder.path) });
    assert.equal(status, 0, err);
  },
);
