/**
 * The clients in examples/, each with the real programs of its language.
 */
import assert from "node:assert/strict";
import { run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const EXAMPLES = new URL("../../examples/", import.meta.url).pathname;

interface Example {
  readonly name: string;
  /** Succeeds where everything is there that it needs. */
  readonly needs: readonly string[];
  readonly line: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Makes ready what a user would install. */
  readonly install?: (folder: TempFolder) => Promise<void>;
}

/** Debian's packages of Go, which need no network. */
const GO_ENV = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOFLAGS: "", HOME: "/tmp" };

const LIST: readonly Example[] = [
  {
    name: "client.py",
    needs: ["/usr/bin/python3", "-c", "import nacl"],
    line: ["/usr/bin/python3", `${EXAMPLES}client.py`],
  },
  {
    name: "client.mjs",
    needs: ["node", "--version"],
    line: ["node", "client.mjs"],
    async install(folder): Promise<void> {
      await Deno.copyFile(`${EXAMPLES}client.mjs`, folder.join("client.mjs"));
      const npm = ["npm", "install", "--silent", "--no-audit", "--no-fund", "tweetnacl@1.0.3"];
      const { code, err } = await run(npm, { cwd: folder.path });
      assert.equal(code, 0, err);
    },
  },
  {
    name: "shell/call.sh",
    needs: ["sh", "-c", "command -v curl gzip od && /usr/bin/python3 -c 'import nacl'"],
    line: ["sh", "call.sh"],
    async install(folder): Promise<void> {
      await Deno.copyFile(`${EXAMPLES}shell/call.sh`, folder.join("call.sh"));
      // The first python3 of a machine may be another one than Debian's.
      const helper = await Deno.readTextFile(`${EXAMPLES}shell/nacl-box`);
      await folder.write("nacl-box", helper.replace(/^#!.*/, "#!/usr/bin/python3"));
      await Deno.chmod(folder.join("nacl-box"), 0o755);
    },
  },
  {
    name: "go/main.go",
    needs: ["ls", "/usr/bin/go", "/usr/share/gocode/src/golang.org/x/crypto/nacl/box"],
    line: ["./go-client"],
    env: GO_ENV,
    async install(folder): Promise<void> {
      const build = ["/usr/bin/go", "build", "-o", "go-client", `${EXAMPLES}go/main.go`];
      const { code, err } = await run(build, { cwd: folder.path, env: GO_ENV });
      assert.equal(code, 0, err);
    },
  },
];

for (const { name, needs, line, env = {}, install } of LIST) {
  const isHere = await run(needs, { cwd: "/" }).then(({ code }) => code === 0, () => false);
  Deno.test({
    name: `examples/${name} calls the server` +
      (isHere ? "" : ` (skipped: ${needs[0]} or a library of it is not installed)`),
    ignore: !isHere,
    async fn(): Promise<void> {
      await using folder = await TempFolder.make();
      await registerClient(folder);
      await install?.(folder);
      await using server = await ServerProcess.start({ cwd: folder.path });
      const options = { cwd: folder.path, env };
      const answer = await run([...line, server.url, "time_test"], options);
      assert.equal(answer.code, 0, answer.err);
      assert.match(answer.out, /^It is currently: \n\t.{24}\n$/);
      const refused = await run([...line, server.url, "not_there"], options);
      assert.notEqual(refused.code, 0);
      assert.equal(refused.out, "");
      assert.match(refused.err, /refused/);
    },
  });
}
