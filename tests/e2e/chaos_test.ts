/**
 * The client library through a proxy that does everything that a network or somebody in between can do: a
 * call never runs twice, no answer is that of another, and `executed` is never a lie.
 */
import assert from "node:assert/strict";
import { CallError, Connection } from "../../client/mod.ts";
import { ChaosProxy, type Fault, FAULTS } from "../chaos_proxy.ts";
import { writeModules } from "../functions.ts";
import { ServerProcess, TempFolder } from "../program.ts";
import { randomFrom } from "../random.ts";
import { registerProfile, v2Url } from "../v2_client.ts";

const COUNT = `
export const params = {
  type: "object", required: ["id"],
  properties: { id: { type: "string" }, mode: { enum: ["result", "error"] } },
};
const counts = new Map();
export const entry_call = ({ params: { id, mode } }) => {
  if (id === "all") return Object.fromEntries(counts);
  counts.set(id, (counts.get(id) ?? 0) + 1);
  if (mode === "error") throw new PublicError("error of " + id);
  return { id };
};`;

/** Calls at the same time, and how often each kind of call meets each fault. */
const LANES = 8;
const ROUNDS = 2;
/** What lets some calls pass: hellos meet faults too. */
const CALM = Array.from({ length: 5 }, (): Fault => "none");
const MODES = ["result", "error", "wrong", "idempotent", "missing", "batch"] as const;
type Mode = typeof MODES[number];

/** What is known about a call that is over. */
interface Told {
  readonly id: string;
  readonly mode: Mode;
  readonly executed: "no" | "maybe" | "yes";
  /** For messages of this test. */
  readonly how: string;
}

/** One call; what the library says of it is checked here, as far as it does not depend on counts. */
async function call(home: Connection, mode: Mode, id: string): Promise<Told[]> {
  const told = (executed: Told["executed"], how: string): Told => ({ id, mode, executed, how });
  const failed = (error: unknown): Told => {
    assert.ok(error instanceof CallError, `${mode}: ${error}`);
    if (error.code === "failed") assert.equal(error.message, `error of ${id}`);
    return told(error.executed, `${error.code}: ${error.message}`);
  };
  if (mode === "batch") {
    const ids = [`${id}a`, `${id}b`];
    const calls = ids.map((each) => ["count", { id: each }] as const);
    const outcomes = await home.batch(calls).catch((reason) =>
      ids.map(() => ({ status: "rejected", reason }) as const)
    );
    return outcomes.map((outcome, i) => {
      const own = ids[i] ?? "";
      if (outcome.status === "rejected") return { ...failed(outcome.reason), id: own };
      assert.deepEqual(outcome.value, { id: own });
      return { ...told("yes", "result"), id: own };
    });
  }
  try {
    const params = mode === "wrong"
      ? { id: 7 }
      : { id, mode: mode === "error" ? "error" : "result" };
    const name = mode === "missing" ? "not_there" : "count";
    const value = await home.call(name, params, mode === "idempotent" ? { idempotent: true } : {});
    assert.deepEqual(value, { id });
    assert.ok(mode === "result" || mode === "idempotent", `${mode} has a result`);
    return [told("yes", "result")];
  } catch (error) {
    return [failed(error)];
  }
}

Deno.test("whatever happens between client and server, no call runs twice and executed is true", async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  const random = randomFrom(seed);
  await using folder = await TempFolder.make();
  const profile = await registerProfile(folder);
  await writeModules(folder, { modules: { count: COUNT } });
  await folder.write(
    "config/config.ini",
    "[Limits]\nFailuresPerMinute=1000000\n[V2]\nTicketsPerClient=1000\n",
  );
  await using server = await ServerProcess.start({ cwd: folder.path });
  await server.waitForLog(/INFO functions: Functions: count/);

  // Each kind of call meets each fault, in random order; what the library sends beside gets what is next.
  const faults: Fault[] = Array.from({ length: ROUNDS * MODES.length }, () => [...FAULTS, ...CALM])
    .flat();
  for (let i = faults.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [faults[i], faults[j]] = [faults[j] ?? "none", faults[i] ?? "none"];
  }
  const all: Told[] = [];
  {
    await using proxy = new ChaosProxy({
      port: server.port,
      random,
      choose: () => faults.pop() ?? "none",
    });
    const url = `http://127.0.0.1:${proxy.port}/v2`;
    let next = 0;
    const lane = async (): Promise<void> => {
      // A new one for each few calls: hellos meet all faults too.
      let home = new Connection({ ...profile, url }, { timeoutMs: 5000 });
      while (faults.length > 0) {
        const number = next++;
        const mode = MODES[number % MODES.length] ?? "result";
        all.push(...await call(home, mode, `id${number}`));
        if (random() < 0.2) home = new Connection({ ...profile, url }, { timeoutMs: 5000 });
      }
      // Once nothing happens any more, a lost session is the only thing left from before.
      await call(home, "result", `id${next++}`);
      const last = [
        ...await call(home, "result", `id${next++}`),
        ...await call(home, "error", `id${next++}`),
      ];
      for (const { executed, how } of last) {
        assert.equal(executed, "yes", how);
      }
      all.push(...last);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    for (const fault of FAULTS) assert.ok((proxy.counts.get(fault) ?? 0) > 0, fault);
  }

  const direct = new Connection({ ...profile, url: v2Url(server.url) });
  const counts = await direct.call<Record<string, number>>("count", { id: "all" });
  for (const { id, mode, executed, how } of all) {
    const count = counts[id] ?? 0;
    const what = `${id} (${mode}) ran ${count} times; ${how}; executed: ${executed}; seed ${seed}`;
    assert.ok(count <= (mode === "idempotent" ? 2 : 1), what);
    if (executed === "no") assert.equal(count, 0, what);
    if (executed === "yes") assert.ok(count >= 1, what);
  }
  for (const executed of ["no", "maybe", "yes"] as const) {
    assert.ok(all.filter((each) => each.executed === executed).length > 10, executed);
  }
});
