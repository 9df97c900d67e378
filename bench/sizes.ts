/**
 * @module
 * Start-up and memory with many clients.
 */
import { join } from "node:path";
import { generateSecret } from "../lib/crypto/keys.ts";
import { median } from "./statistics.ts";
import { makeStore, sealRequests } from "./store.ts";
import { serverLine, startSubject } from "./subject.ts";
import { runLoad } from "./wrk.ts";

/** What was measured with a number of clients. */
export interface Size {
  readonly clients: number;
  /** From the start of the process to the ready line. */
  readonly readyMs: number;
  /** From the start of the process until every key is in memory. */
  readonly loadedMs: number;
  /** Resident, after 2 s of load. */
  readonly megabytes: number;
}

/** Measures, medians of some starts. */
export async function runSizes(
  { folder, rounds, binary }: { folder: string; rounds: number; binary: string | undefined },
): Promise<Size[]> {
  const sizes: Size[] = [];
  for (const clients of [1, 10_000, 100_000]) {
    const home = join(folder, `size ${clients}`);
    const config = "[Clients]\nRequestTTL=3600\n";
    const store = await makeStore(home, { count: clients, senderCount: 1, config });
    // As many secrets as keys; the last one is the sender's.
    const others = Array.from({ length: clients - 1 }, () => `${generateSecret()}\n`);
    const secrets = [...others, `${store.secret}\n`];
    await Deno.writeTextFile(join(home, "sec/clients.dev"), secrets.join(""));
    const ready: number[] = [], loaded: number[] = [], megabytes: number[] = [];
    for (let round = 0; round < (clients > 10_000 ? 1 : rounds); round++) {
      const start = performance.now();
      const subject = await startSubject(serverLine(binary), home);
      ready.push(subject.startMs);
      await subject.waitForLog(/Registered client keys/);
      loaded.push(performance.now() - start);
      // At work: the platform takes memory for that, however many clients there are.
      const bodies = sealRequests(store, store.senders, 100_000);
      await runLoad({ url: subject.url, bodies, seconds: 2 });
      megabytes.push(await subject.residentMegabytes());
      await subject.stop();
    }
    sizes.push({
      clients,
      readyMs: median(ready),
      loadedMs: median(loaded),
      megabytes: median(megabytes),
    });
  }
  return sizes;
}
