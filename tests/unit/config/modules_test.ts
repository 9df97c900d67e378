import assert from "node:assert/strict";
import { FUNCTION_OPTIONS, readModules } from "../../../lib/config/modules.ts";
import { HOSTILE_TEXTS } from "../../hostile.ts";
import { TempFolder } from "../../program.ts";

async function read(text: string): ReturnType<typeof readModules> {
  await using folder = await TempFolder.make();
  await folder.write("modules.ini", text);
  const result = await readModules(folder.join("modules.ini"));
  const strip = (line: string): string => line.replace(folder.path, "");
  return {
    ...result,
    entries: result.entries,
    faults: result.faults.map(({ functionName, state }) => ({ functionName, state: strip(state) })),
    warnings: result.warnings.map(strip),
  };
}

Deno.test("readModules() reads the Python program's file, with nothing granted", async () => {
  const { entries, faults, warnings } = await read("[Modules]\ntime_test=simple_time\n");
  assert.deepEqual(faults, []);
  assert.deepEqual(warnings, []);
  assert.deepEqual(entries, [{
    functionName: "time_test",
    moduleName: "simple_time",
    grants: { read: [], write: [], net: [], env: [] },
    timeoutSeconds: 10,
    instances: 1,
    queueLimit: 256,
    maxResultBytes: 1_048_576,
    maxParamsBytes: 1_048_576,
    tellsCaller: false,
    maxFileMegabytes: 1024,
    hasOwnProcess: false,
    maxHeapMegabytes: undefined,
  }]);
});

Deno.test("readModules() reads every option of a section; names are case-insensitive", async () => {
  const { entries: [entry] } = await read(
    "[Weather]\nread=/data/a, /data/b\nWRITE=/data/c\nNet=api.example.org:443,[::1]:80,10.0.0.1\n" +
      "Env=A_TOKEN\nTimeout=5\nInstances=2\nQueue=7\nMaxResult=65536\nMaxParams=1000\nCaller=name\nProcess=Own\nMaxHeap=100\n" +
      "[Modules]\nWeather=weather\n",
  );
  assert.deepEqual(entry, {
    functionName: "weather",
    moduleName: "weather",
    grants: {
      read: ["/data/a", "/data/b"],
      write: ["/data/c"],
      net: ["api.example.org:443", "[::1]:80", "10.0.0.1"],
      env: ["A_TOKEN"],
    },
    timeoutSeconds: 5,
    instances: 2,
    queueLimit: 7,
    maxResultBytes: 65_536,
    maxParamsBytes: 1000,
    tellsCaller: true,
    maxFileMegabytes: 1024,
    hasOwnProcess: true,
    maxHeapMegabytes: 100,
  });
});

const FAULTS: { line: string; state: RegExp; why: string }[] = [
  { line: "Timeout=0", state: /Timeout = "0", expected a whole number of seconds/, why: "none" },
  { line: "Timeout=1.5", state: /expected a whole number of seconds/, why: "a fraction" },
  { line: "Instances=65", state: /expected a whole number of workers from 1 to 64/, why: "many" },
  { line: "Net=", state: /expected hosts such as/, why: "nothing" },
  { line: "Net=https://x.org", state: /expected hosts such as/, why: "a URL" },
  { line: "Net=x.org:70000", state: /expected hosts such as/, why: "no port" },
  { line: "Net=x.org,,y.org", state: /expected hosts such as/, why: "a gap" },
  { line: "Env=MSP_REDIS_PASSWORD", state: /is a secret of the server/, why: "a secret" },
  { line: "Env=A-B", state: /expected names of variables/, why: "no name" },
  { line: "Read=/a,", state: /expected paths, separated by commas/, why: "an empty path" },
  { line: "Read=/a, ~/b", state: /nothing replaces ~ here/, why: "a home folder" },
  { line: "Process=mine", state: /expected shared or own/, why: "no such word" },
  { line: "MaxHeap=100", state: /MaxHeap needs Process=own/, why: "others would share it" },
];

Deno.test("readModules() says what is wrong with a function, and keeps the others", async () => {
  assert.ok(FAULTS.length > 0);
  for (const { line, state, why } of FAULTS) {
    const { entries, faults } = await read(`[Modules]\nf=f\ng=g\n[f]\n${line}\n`);
    assert.deepEqual(entries.map(({ functionName }) => functionName), ["g"], why);
    assert.equal(faults[0]?.functionName, "f");
    assert.match(faults[0]?.state ?? "", state, why);
  }
});

Deno.test("readModules() warns of unknown sections and options", async () => {
  const { entries, warnings } = await read("[Modules]\nf=f\n[g]\nRead=/x\n[f]\nRaed=/x\n");
  assert.equal(entries.length, 1);
  assert.deepEqual(warnings, [
    "/modules.ini: line 4 is in the section [g], which is not that of a function",
    "/modules.ini: line 6: unknown option [f] raed; did you mean Read?",
  ]);
});

Deno.test("readModules() grants nothing for hostile values", async () => {
  const values = HOSTILE_TEXTS.filter((text) => !/[\r\n\0]/.test(text));
  assert.ok(values.length > 0);
  for (const value of values) {
    for (
      const { name } of [
        FUNCTION_OPTIONS.net,
        FUNCTION_OPTIONS.env,
        FUNCTION_OPTIONS.timeoutSeconds,
      ]
    ) {
      const { entries } = await read(`[Modules]\nf=f\n[f]\n${name}=${value}\n`);
      for (const { grants, timeoutSeconds } of entries) {
        for (const each of [...grants.net, ...grants.env]) assert.match(each, /^[\w.:[\]*-]+$/);
        assert.ok(timeoutSeconds >= 1);
      }
    }
  }
});
