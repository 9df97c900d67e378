/**
 * @module
 * Grants → what stage 1 is told.
 */
import assert from "node:assert/strict";
import {
  type HostGrants,
  type PolicyParts,
  readStageInput,
  stageInput,
  stagePolicy,
  tcpPorts,
} from "../../../../lib/functions/wall/policy.ts";

const PARTS: PolicyParts = {
  server: 17,
  abi: 7,
  hasFilter: true,
  grants: { read: ["/app/modules"], write: [], net: [] },
  program: ["/src/lib"],
  workers: 2,
  maxFileBytes: 5_000_000,
  hasOwnUser: false,
  next: { args: ["function-host"], env: { TZ: "UTC" } },
};

/** Paths of a policy by access, as far as they are not the system's. */
function granted(grants: HostGrants): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { path, access, kind } of stagePolicy({ ...PARTS, grants }).paths) {
    if (kind === "exact") (found[access] ??= []).push(path);
  }
  return found;
}

interface Row {
  readonly name: string;
  readonly grants: HostGrants;
  readonly paths: Readonly<Record<string, readonly string[]>>;
  readonly ports: readonly number[] | "all";
  readonly filter: { readonly hasNetwork: boolean; readonly mayChangeModes: boolean };
  readonly fileBytes: number;
}

const OFFLINE = { hasNetwork: false, mayChangeModes: false };
const ROWS: readonly Row[] = [
  {
    name: "nothing",
    grants: { read: ["/m"], write: [], net: [] },
    paths: { read: ["/m"] },
    ports: [],
    filter: OFFLINE,
    fileBytes: 0,
  },
  {
    name: "Read",
    grants: { read: ["/m", "/data", "/m"], write: [], net: [] },
    paths: { read: ["/m", "/data"] },
    ports: [],
    filter: OFFLINE,
    fileBytes: 0,
  },
  {
    name: "Write",
    grants: { read: ["/m"], write: ["/data"], net: [] },
    paths: { read: ["/m"], write: ["/data"] },
    ports: [],
    filter: { hasNetwork: false, mayChangeModes: true },
    fileBytes: 5_000_000,
  },
  {
    name: "Net with a port",
    grants: { read: ["/m"], write: [], net: ["api.example.org:443"] },
    paths: { read: ["/m"] },
    ports: [53, 443],
    filter: { hasNetwork: true, mayChangeModes: false },
    fileBytes: 0,
  },
  {
    name: "Net with every host",
    grants: { read: ["/m"], write: [], net: true },
    paths: { read: ["/m"] },
    ports: "all",
    filter: { hasNetwork: true, mayChangeModes: false },
    fileBytes: 0,
  },
];

Deno.test("stagePolicy() allows what was granted", () => {
  for (const { name, grants, paths, ports, filter, fileBytes } of ROWS) {
    const policy = stagePolicy({ ...PARTS, grants });
    assert.deepEqual(granted(grants), paths, name);
    assert.deepEqual(policy.ports, ports, name);
    assert.deepEqual(policy.filter, filter, name);
    const [fileLimit] = policy.limits.filter((each) => each.name === "FSIZE");
    assert.equal(fileLimit?.most, fileBytes, name);
  }
});

Deno.test("stagePolicy() gives resolver files to hosts with network only", () => {
  const pathsFor = (net: HostGrants["net"]): string[] =>
    stagePolicy({ ...PARTS, grants: { read: [], write: [], net } }).paths.map(({ path }) => path);
  assert.ok(pathsFor(["localhost"]).includes("/etc/resolv.conf"));
  assert.ok(!pathsFor([]).some((path) => /resolv|hosts|ssl|pki/.test(path)));
});

Deno.test("stagePolicy() gives write access to nothing of the system but a device", () => {
  for (const grants of ROWS.map((row) => row.grants)) {
    const writable = stagePolicy({ ...PARTS, grants }).paths.filter(({ access, kind }) =>
      kind === "system" && (access === "write" || access === "device")
    );
    assert.deepEqual(writable.map(({ path }) => path), ["/dev/null"]);
  }
});

Deno.test("stagePolicy() leaves nothing of a folder that holds secrets to the system's paths", () => {
  const paths = stagePolicy({ ...PARTS, grants: { read: [], write: [], net: true } }).paths;
  for (
    const kept of [
      "/",
      "/etc",
      "/etc/ssl",
      "/etc/ssl/private",
      "/run",
      "/proc",
      "/dev",
      "/sys",
      "/usr",
      "/var",
      "/tmp",
      "/home",
      "/root",
    ]
  ) {
    assert.ok(!paths.some(({ path }) => path === kept), kept);
  }
});

Deno.test("stagePolicy() limits processes only where they are counted apart", () => {
  const limitsOf = (hasOwnUser: boolean): string[] =>
    stagePolicy({ ...PARTS, hasOwnUser }).limits.map(({ name }) => name);
  assert.deepEqual(limitsOf(false), ["CORE", "FSIZE", "NOFILE"]);
  assert.deepEqual(limitsOf(true), ["CORE", "FSIZE", "NOFILE", "NPROC"]);
});

Deno.test("stagePolicy() limits memory only where the host cannot watch its own", () => {
  const limitOf = (parts: Partial<PolicyParts>): unknown =>
    stagePolicy({ ...PARTS, ...parts }).limits.find(({ name }) => name === "DATA");
  assert.equal(limitOf({}), undefined);
  const most = (64 + 128) * 1024 * 1024;
  assert.deepEqual(limitOf({ maxGrowthBytes: 64 * 1024 * 1024 }), {
    name: "DATA",
    most,
    isGrowth: true,
  });
});

Deno.test("stagePolicy() leaves the filter out when there is none", () => {
  assert.equal(stagePolicy({ ...PARTS, hasFilter: false }).filter, undefined);
});

const PORTS: readonly { net: readonly string[]; ports: readonly number[] | "all" }[] = [
  { net: ["localhost:8080"], ports: [53, 8080] },
  { net: ["127.0.0.1:8080", "127.0.0.2:8080"], ports: [8080] },
  { net: ["[::1]:8443", "[2001:db8::1]:443"], ports: [443, 8443] },
  { net: ["[::1]"], ports: "all" },
  { net: ["10.0.0.1"], ports: "all" },
  { net: ["127.0.0.1:0"], ports: [0] },
  { net: ["127.0.0.1:1", "example.org"], ports: "all" },
];

Deno.test("tcpPorts() finds the ports of hosts, or all", () => {
  for (const { net, ports } of PORTS) assert.deepEqual(tcpPorts(net), ports, net.join());
});

Deno.test("readStageInput() reads what stageInput() wrote, and nothing after it", () => {
  const policy = stagePolicy({ ...PARTS, next: { args: [], env: { TEXT: "ü\n€" } } });
  const bytes = new TextEncoder().encode(`${stageInput(policy)}the rest`);
  let at = 0;
  const read = (into: Uint8Array): boolean => {
    if (at + into.length > bytes.length) return false;
    into.set(bytes.subarray(at, at += into.length));
    return true;
  };
  assert.deepEqual(readStageInput(read), policy);
  assert.equal(new TextDecoder().decode(bytes.subarray(at)), "the rest");
});
