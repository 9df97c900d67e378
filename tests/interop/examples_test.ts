/**
 * The clients in examples/ that are not made of the package, against the real server, and against servers
 * that answer with something else.
 */
import assert from "node:assert/strict";
import { repositoryPath } from "../../tasks/root.ts";
import { hasPython, isFile, isInstalled, PYTHON, succeeds, testIf } from "../conditions.ts";
import { FunctionServer } from "../functions.ts";
import { addProfile, profileOptions } from "../profiles.ts";
import { type Outcome, PROGRAM, run, TempFolder } from "../program.ts";

const EXAMPLES = repositoryPath("examples/");
const GO_SOURCES = "/usr/share/gocode/src";

interface Example {
  readonly name: string;
  readonly isPossible: boolean;
  /** Why not. */
  readonly missing: string;
  /** Program and arguments before those of a call. */
  readonly line: readonly string[];
  /** How a call names the profile, and passes one argument. */
  readonly target: string;
  readonly pair: (name: string, value: string) => string;
  readonly install?: (folder: TempFolder) => Promise<void>;
}

const asJson = (name: string, value: string): string => JSON.stringify({ [name]: value });

const LIST: readonly Example[] = [
  {
    name: "client.py",
    isPossible: await hasPython("nacl.bindings"),
    missing: "python3-nacl is not installed",
    line: [PYTHON, `${EXAMPLES}client.py`],
    target: "xdg/msp/home.json",
    pair: asJson,
  },
  {
    name: "go/main.go",
    isPossible: isInstalled("go") && isFile(`${GO_SOURCES}/github.com/flynn/noise/state.go`),
    missing: "golang-go or golang-github-flynn-noise-dev is not installed",
    line: ["./msp-client"],
    target: "xdg/msp/home.json",
    pair: asJson,
    install: buildGo,
  },
  {
    name: "call.sh",
    isPossible: await succeeds("sh", "-c", "true"),
    missing: "no shell",
    line: ["sh", `${EXAMPLES}call.sh`],
    target: "home",
    pair: (name, value) => `${name}=${value}`,
    async install(folder): Promise<void> {
      const line = PROGRAM.map((word) => `'${word}'`).join(" ");
      await folder.write("bin/msp", `#!/bin/sh\nexec ${line} "$@"\n`);
      await Deno.chmod(folder.join("bin/msp"), 0o755);
      // A call that nobody answers is tried again after a pause, which this one leaves out.
      await folder.write("bin/sleep", "#!/bin/sh\n");
      await Deno.chmod(folder.join("bin/sleep"), 0o755);
    },
  },
];

/** Builds with Debian's sources of the modules, which need no network. */
async function buildGo(folder: TempFolder): Promise<void> {
  await Deno.mkdir(folder.join("go"));
  for (const name of ["main.go", "go.mod"]) {
    await Deno.copyFile(`${EXAMPLES}go/${name}`, folder.join("go", name));
  }
  // A module that only the tests of a library use.
  await folder.write("check/go.mod", "module gopkg.in/check.v1\n");
  const modules = ["crypto", "sys", "net", "term", "text"].map((name) => `golang.org/x/${name}`);
  const replaced = [...modules, "github.com/flynn/noise"].map((name) =>
    `-replace=${name}=${GO_SOURCES}/${name}`
  );
  const edit = ["mod", "edit", "-replace=gopkg.in/check.v1=../check", ...replaced];
  const env = { GOFLAGS: "-mod=mod -buildvcs=false", GOPROXY: "off", GONOSUMDB: "*", HOME: "/tmp" };
  for (const args of [edit, ["build", "-o", "../msp-client", "."]]) {
    const { code, err } = await run(["/usr/bin/go", ...args], { cwd: folder.join("go"), env });
    assert.equal(code, 0, err);
  }
}

const MODULES = {
  echo: "export const entry_call = ({ params }) => params;",
  text: "export const entry_call = () => 'Küche';",
  own: "export const entry_call = () => { throw new PublicError('out of milk'); };",
};

const HOSTILE: readonly { name: string; answer: () => Response; executed: RegExp }[] = [
  { name: "a page", answer: () => new Response("<html>"), executed: /no/ },
  { name: "nothing", answer: () => new Response(), executed: /no/ },
  { name: "zeros", answer: () => new Response(new Uint8Array(500)), executed: /no/ },
  {
    name: "a welcome of zeros",
    answer: () => new Response(Uint8Array.of(2, ...new Uint8Array(300))),
    executed: /no/,
  },
  { name: "a refusal", answer: () => new Response(null, { status: 401 }), executed: /no/ },
];

/** One line and no trace on standard error, nothing on standard output. */
function assertNeat({ code, out, err }: Outcome, why: string): void {
  assert.deepEqual([code, out], [1, ""], `${why}: ${err}`);
  assert.match(err, /^[\w.:-]+ [^\n]+\n(?:msp: hint: [^\n]+\n)?$/, why);
}

for (const { name, isPossible, missing, line, target, pair, install } of LIST) {
  testIf(
    isPossible,
    missing,
    `examples/${name} calls functions, and says whether one ran`,
    async () => {
      await using folder = await TempFolder.make();
      await install?.(folder);
      let url = "";
      {
        await using setup = await FunctionServer.start(folder, { modules: MODULES });
        url = setup.server.url;
        await addProfile(folder, url);
        const call = caller(folder, line, target);
        const echoed = await call("echo", pair("item", "milk & ü"));
        assert.equal(echoed.code, 0, echoed.err);
        assert.deepEqual(JSON.parse(echoed.out), { item: "milk & ü" });
        assert.equal((await call("text")).out, "Küche\n");
        for (
          const [failing, message] of [["own", /milk.*executed: yes/], [
            "not_there",
            /executed: no/,
          ]] as const
        ) {
          const outcome = await call(failing);
          assertNeat(outcome, failing);
          assert.match(outcome.err, message);
        }
      }
      const call = caller(folder, line, target);
      const unreached = await call("text");
      assertNeat(unreached, "a server that is not there");
      assert.match(unreached.err, /refused.*executed: no/);
      let answer = (): Response => new Response();
      await using hostile = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async (request) => {
          await request.body?.cancel();
          return answer();
        },
      );
      const kept = JSON.parse(await folder.read("xdg/msp/home.json"));
      const other = { ...kept, url: `http://127.0.0.1:${hostile.addr.port}/v2` };
      await folder.write("xdg/msp/home.json", JSON.stringify(other));
      for (const { name: what, answer: answered, executed } of HOSTILE) {
        answer = answered;
        const outcome = await call("text");
        assertNeat(outcome, what);
        assert.match(outcome.err, new RegExp(`executed: ${executed.source}`), what);
      }
      await folder.write("xdg/msp/home.json", "{}");
      assertNeat(await call("text"), "a file that is not a profile");
      await Deno.remove(folder.join("xdg/msp/home.json"));
      assertNeat(await call("text"), "a file that is missing");
    },
  );
}

function caller(
  folder: TempFolder,
  line: readonly string[],
  target: string,
): (...args: string[]) => Promise<Outcome> {
  const { cwd, env = {} } = profileOptions(folder);
  const path = `${folder.join("bin")}:${Deno.env.get("PATH")}`;
  return (...args) => run([...line, target, ...args], { cwd, env: { ...env, PATH: path } });
}
