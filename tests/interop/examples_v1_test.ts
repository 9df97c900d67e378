/**
 * The clients in examples/v1/, each run with the real programs of its language: against the server, and
 * against servers that return what a client must refuse.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../../tasks/root.ts";
import { succeeds, testIf } from "../conditions.ts";
import { freePort, type Outcome, run, ServerProcess, TempFolder } from "../program.ts";
import { registerClient } from "../registered.ts";

const EXAMPLES = repositoryPath("examples/v1/");

interface Example {
  readonly name: string;
  /** Succeeds where everything is there that it needs. */
  readonly needs: readonly string[];
  readonly line: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Makes ready what a user would install. */
  readonly install?: (folder: TempFolder) => Promise<void>;
}

/** Where Debian's packages keep the sources of Go modules, which need no network. */
const GO_SOURCES = "/usr/share/gocode/src/golang.org/x";
const GO_ENV = {
  GOFLAGS: "-mod=mod",
  GOPROXY: "off",
  GONOSUMDB: "*",
  GONOSUMCHECK: "1",
  HOME: "/tmp",
};

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
    needs: ["ls", "/usr/bin/go", `${GO_SOURCES}/crypto/nacl/box`],
    line: ["./msp-client"],
    env: GO_ENV,
    async install(folder): Promise<void> {
      await Deno.mkdir(folder.join("go"));
      for (const name of ["main.go", "go.mod"]) {
        await Deno.copyFile(`${EXAMPLES}go/${name}`, folder.join("go", name));
      }
      const replaced = ["crypto", "sys", "net", "term", "text"].map((name) =>
        `-replace=golang.org/x/${name}=${GO_SOURCES}/${name}`
      );
      for (const args of [["mod", "edit", ...replaced], ["build", "-o", "../msp-client", "."]]) {
        const line = ["/usr/bin/go", ...args];
        const { code, err } = await run(line, { cwd: folder.join("go"), env: GO_ENV });
        assert.equal(code, 0, err);
      }
    },
  },
];

/** What a server in between may do; a client must refuse each. */
const HOSTILE_ANSWERS: readonly { name: string; answer: (sent: SentValues) => Response }[] = [
  ...(["id", "check", "ts", "entry"] as const).map((member) => ({
    name: `returns the request's own ${member}`,
    answer: (sent: SentValues) => Response.json({ value: sent[member] }),
  })),
  { name: "is not JSON", answer: () => new Response("hello") },
  { name: "has no value", answer: () => Response.json({}) },
  { name: "is too short", answer: () => Response.json({ value: "AAAA" }) },
  { name: "is sealed by nobody", answer: () => Response.json({ value: "A".repeat(80) }) },
  {
    name: "is a redirect",
    answer: () => new Response(null, { status: 302, headers: { location: "/elsewhere" } }),
  },
];
type SentValues = Record<"id" | "check" | "ts" | "entry", string>;

/** One line on standard error, nothing on standard output, no trace and no secret. */
function assertRefusedNeatly(outcome: Outcome, secretHex: string, why: string): void {
  assert.equal(outcome.code, 1, `${why}: ${outcome.err}`);
  assert.equal(outcome.out, "", why);
  assert.match(outcome.err, /^(?:curl: .*\n)?[\w.-]+: .+\n$/, why);
  assert.ok(!outcome.err.includes(secretHex), why);
}

for (const { name, needs, line, env = {}, install } of LIST) {
  testIf(
    await succeeds(...needs),
    `${needs[0]} or one of its libraries is not installed`,
    `examples/v1/${name} calls the server, and refuses what a client must refuse`,
    async () => {
      await using folder = await TempFolder.make();
      const { secretHex } = await registerClient(folder);
      await install?.(folder);
      const call = (url: string, functionName = "time_test"): Promise<Outcome> =>
        run([...line, url, functionName], { cwd: folder.path, env });
      {
        await using server = await ServerProcess.start({ cwd: folder.path });
        const answer = await call(server.url);
        assert.equal(answer.code, 0, answer.err);
        assert.match(answer.out, /^It is currently: \n\t.{24}\n$/);
        const refused = await call(server.url, "not_there");
        assertRefusedNeatly(refused, secretHex, "an unknown function");
        assert.match(refused.err, /refused: status 401/);
      }
      for (const { name: what, answer } of HOSTILE_ANSWERS) {
        await using hostile = Deno.serve(
          { hostname: "127.0.0.1", port: 0, onListen: () => {} },
          async (request) =>
            request.method === "POST"
              ? answer(await request.json())
              : new Response(null, { status: 405 }),
        );
        const outcome = await call(`http://127.0.0.1:${hostile.addr.port}/v1`);
        assertRefusedNeatly(outcome, secretHex, `an answer that ${what}`);
        if (what.includes("own")) assert.match(outcome.err, /one of the request's own values/);
      }
      const unreached = await call(`http://127.0.0.1:${freePort()}/v1`);
      assertRefusedNeatly(unreached, secretHex, "a server that is not there");
      await Deno.rename(folder.join("client.key"), folder.join("moved.key"));
      const keyless = await call("http://127.0.0.1:9/v1");
      assertRefusedNeatly(keyless, secretHex, "a missing key file");
      assert.match(keyless.err, /client\.key/);
    },
  );
}
