/**
 * @module
 * What may be wrong with the clock: requests carry the time, and log lines show it.
 */
import type { Settings } from "./config/settings.ts";
import { directFetch, isDirect } from "./http/direct.ts";
import { serverKeyPath } from "./keys/server_keys.ts";
import type { Finding } from "./keys/findings.ts";
import { networkReason } from "./network_reason.ts";
import { count } from "./prose.ts";

/** A clock before this, or files after it by more than a day, cannot be right. */
const EARLIEST_SECONDS = Date.UTC(2024, 0) / 1000;
const DAY_SECONDS = 86_400;
const TIMEOUT_MS = 5000;
const REMEDY = "set the clock, and keep it set with NTP: requests carry the time";

/** What was found, and what is good to know. */
interface ClockExamination {
  readonly findings: readonly Finding[];
  readonly facts: readonly string[];
}

/** Checks the clock against the files, the time zone, and another machine where a URL is given. */
export async function checkClock(
  settings: Settings,
  { nowSeconds, clockUrl }: { nowSeconds: number; clockUrl?: URL | undefined },
): Promise<ClockExamination> {
  const findings = await checkFiles(settings, nowSeconds);
  const zone = checkTimeZone(Deno.env.get("TZ"));
  if (zone !== undefined) findings.push(zone);
  if (clockUrl === undefined) return { findings, facts: [] };
  const compared = await checkAgainst(clockUrl, settings);
  return typeof compared === "string"
    ? { findings, facts: [compared] }
    : { findings: [...findings, compared], facts: [] };
}

async function checkFiles({ store }: Settings, nowSeconds: number): Promise<Finding[]> {
  if (nowSeconds < EARLIEST_SECONDS) return [wrong("the clock is years behind", REMEDY)];
  const path = serverKeyPath(store);
  const written = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
  if (written / 1000 <= nowSeconds + DAY_SECONDS) return [];
  return [wrong(`the clock is behind: ${path} was written in its future`, REMEDY)];
}

/**
 * A time zone that Deno does not know becomes UTC without a word.
 *
 * @param text value of TZ
 */
export function checkTimeZone(text: string | undefined): Finding | undefined {
  const name = (text ?? "").replace(/^:/, "");
  if (name === "" || /^(?:Etc\/)?(?:UTC|UCT|GMT|Zulu|Universal)/i.test(name)) return undefined;
  // Deno 2.9 says undefined for a zone that it does not know, and UTC for the rules of POSIX.
  const zone: string | undefined = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone !== undefined && !["UTC", "Etc/UTC", "Etc/Unknown"].includes(zone)) return undefined;
  const what = `TZ = ${
    JSON.stringify(name)
  } is not a time zone that is known here: times are in UTC`;
  return { level: "note", what, remedy: "set TZ to a name such as Europe/Berlin" };
}

/** Compares the clock with the Date header of a server; a text when they agree. */
async function checkAgainst(
  url: URL,
  { requestTtlSeconds }: Settings,
): Promise<Finding | string> {
  const name = `${url.origin}${url.pathname}`;
  let response: Response;
  const before = Date.now();
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    response = isDirect(url)
      ? await directFetch(url, { signal })
      : await fetch(url, { redirect: "manual", signal });
  } catch (error) {
    const { state, hint = "check --url" } = networkReason(error);
    return wrong(`Cannot reach ${name}: ${state}`, hint);
  }
  await response.body?.cancel();
  const theirs = Date.parse(response.headers.get("date") ?? "");
  if (Number.isNaN(theirs)) {
    return wrong(`${name} does not tell its time`, "pass the URL of another server");
  }
  // The header has whole seconds, rounded down.
  const seconds = Math.round(((before + Date.now()) / 2 - theirs - 500) / 1000);
  if (Math.abs(seconds) <= 2) return `the clock agrees with that of ${name}`;
  const direction = seconds > 0 ? "ahead of" : "behind";
  const what = `the clock is ${count(Math.abs(seconds), "second")} ${direction} that of ${name}`;
  const isTooFar = Math.abs(seconds) > requestTtlSeconds;
  return { level: isTooFar ? "wrong" : "note", what, remedy: REMEDY };
}

function wrong(what: string, remedy: string): Finding {
  return { level: "wrong", what, remedy };
}
