/**
 * @module
 * What a function host may do, in the kernel's terms: grants of its functions → what stage 1 is told.
 */
import { isIP } from "node:net";
import { type LimitedHost, type ResourceLimit, resourceLimits } from "./limits.ts";

/** What access a path gives, to it and to everything below it. */
export type PathAccess = "read" | "write" | "execute" | "device";

/** A path that a host may reach. */
export interface PathRule {
  readonly path: string;
  readonly access: PathAccess;
  /**
   * `exact`: must exist, and no part of it may be a link. `system`: may be missing, links in it are
   * followed.
   */
  readonly kind: "exact" | "system";
}

/** What stage 1 is told. */
export interface StagePolicy {
  /** Process number of the server: the host ends with it. */
  readonly server: number;
  /** Landlock's ABI to use, 0 for none; or the latest that the kernel has. */
  readonly abi: number | "latest";
  readonly paths: readonly PathRule[];
  /** TCP ports that it may use, or all. */
  readonly ports: readonly number[] | "all";
  /** The filter of system calls, if any. */
  readonly filter?: { readonly hasNetwork: boolean; readonly mayChangeModes: boolean };
  readonly limits: readonly ResourceLimit[];
  /** Stage 2; without it, stage 1 tells what the kernel refuses. */
  readonly next?: NextStage;
}

/** Asks stage 1 what the kernel offers; its policy follows. */
export interface StageSurvey {
  readonly survey: true;
}

/** What stage 1 becomes: arguments of the program, and its whole environment. */
export interface NextStage {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What the functions of a host were granted. */
export interface HostGrants {
  /** Real paths: the modules, and what is granted to read. */
  readonly read: readonly string[];
  /** Real paths. */
  readonly write: readonly string[];
  /** `host` or `host:port`, or every host. */
  readonly net: readonly string[] | true;
}

/** What a policy is made from. */
export interface PolicyParts extends Omit<LimitedHost, "maxFileBytes"> {
  readonly server: number;
  readonly abi: number | "latest";
  /** Whether system calls are filtered. */
  readonly hasFilter: boolean;
  readonly grants: HostGrants;
  /** Files and folders of the program beyond its executable. */
  readonly program: readonly string[];
  /** Largest file that functions with a `Write` grant may write. */
  readonly maxFileBytes: number;
  readonly next?: NextStage;
}

/** Of every stage 2. The runtime has no cache: it could be written to, and others would read it. */
export const STAGE_2_ENV = { NO_COLOR: "1", DENO_DIR: "/dev/null" } as const;

const EXECUTABLE = "/proc/self/exe";
/** Program interpreters of glibc and musl, which the kernel starts together with the executable. */
const INTERPRETERS = [
  "/lib64/ld-linux-x86-64.so.2",
  "/lib/ld-linux-aarch64.so.1",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];
/** What the runtime reads: its libraries, the size of the machine, time zones. */
const RUNTIME = [
  "/lib",
  "/lib64",
  "/usr/lib",
  "/usr/lib64",
  "/etc/ld.so.cache",
  "/proc/meminfo",
  "/sys/devices/system/cpu/online",
  "/dev/urandom",
  "/etc/localtime",
  "/usr/share/zoneinfo",
];
const DEVICES = ["/dev/null"];
/** What resolves names, and certificates. Resolver files that are replaced are in a folder. */
const NETWORK = [
  "/etc/resolv.conf",
  "/etc/hosts",
  "/etc/nsswitch.conf",
  "/etc/host.conf",
  "/etc/gai.conf",
  "/etc/services",
  "/etc/protocols",
  "/run/systemd/resolve",
  "/run/resolvconf",
  "/etc/ssl/certs",
  "/etc/pki/tls/certs",
  "/etc/pki/ca-trust/extracted",
];
/** DNS over TCP, for long answers. */
const DNS_PORT = 53;
const LENGTH_DIGITS = 8;

/** The text that makes stage 1 work, to be written to its standard input before anything else. */
export function stageInput(input: StagePolicy | StageSurvey): string {
  const json = JSON.stringify(input);
  const length = new TextEncoder().encode(json).length;
  return String(length).padStart(LENGTH_DIGITS, "0") + json;
}

/**
 * Reads what {@link stageInput} wrote, and not a byte more: what follows belongs to stage 2.
 *
 * @param read fills a buffer with the next bytes; `false` when there are not enough.
 * @returns `undefined` when that is neither a policy nor a survey.
 */
export function readStageInput(
  read: (bytes: Uint8Array) => boolean,
): StagePolicy | StageSurvey | undefined {
  const head = new Uint8Array(LENGTH_DIGITS);
  if (!read(head)) return undefined;
  const digits = new TextDecoder().decode(head);
  if (!/^\d+$/.test(digits)) return undefined;
  const body = new Uint8Array(Number(digits));
  if (!read(body)) return undefined;
  try {
    const input: StagePolicy | StageSurvey = JSON.parse(new TextDecoder().decode(body));
    const isOne = "survey" in input || typeof input.server === "number";
    return isOne ? input : undefined;
  } catch {
    return undefined;
  }
}

/** What stage 1 of a host is told. */
export function stagePolicy(parts: PolicyParts): StagePolicy {
  const { grants, program, hasFilter, maxFileBytes, server, abi, next } = parts;
  const { read, write, net } = grants;
  const hasNetwork = net === true || net.length > 0;
  const writes = write.length > 0;
  const system = (access: PathAccess, paths: readonly string[]): PathRule[] =>
    paths.map((path) => ({ path, access, kind: "system" }));
  const exact = (access: PathAccess, paths: readonly string[]): PathRule[] =>
    [...new Set(paths)].map((path) => ({ path, access, kind: "exact" }));
  return {
    server,
    abi,
    paths: [
      ...system("execute", [EXECUTABLE, ...INTERPRETERS]),
      ...system("read", [...RUNTIME, ...program, ...hasNetwork ? NETWORK : []]),
      ...system("device", DEVICES),
      ...exact("read", read),
      ...exact("write", write),
    ],
    ports: tcpPorts(net),
    ...hasFilter ? { filter: { hasNetwork, mayChangeModes: writes } } : {},
    limits: resourceLimits({ ...parts, maxFileBytes: writes ? maxFileBytes : 0 }),
    ...next === undefined ? {} : { next },
  };
}

/**
 * The TCP ports of `Net` grants: all as soon as one of them has no port.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(tcpPorts([]), []);
 * assert.deepEqual(tcpPorts(["127.0.0.1:80", "[::1]:81"]), [80, 81]);
 * assert.deepEqual(tcpPorts(["example.org:443"]), [53, 443]);
 * assert.equal(tcpPorts(["example.org:443", "example.net"]), "all");
 * ```
 */
export function tcpPorts(net: readonly string[] | true): readonly number[] | "all" {
  if (net === true) return "all";
  const ports = new Set<number>();
  for (const target of net) {
    const [, host = "", port] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(target) ?? [];
    if (port === undefined) return "all";
    ports.add(Number(port));
    if (isIP(host) === 0) ports.add(DNS_PORT);
  }
  return [...ports].sort((a, b) => a - b);
}
