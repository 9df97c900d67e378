import assert from "node:assert/strict";
import { join } from "node:path";
import { setImmediate } from "node:timers";
import { ReplayJournal } from "../../../lib/replay/journal.ts";
import { TempFolder } from "../../program.ts";

const NOW = 1_800_000_000;
const HEADER_BYTES = 44;
const RECORD_BYTES = 40;

/** A request: its number stands in its fingerprints. */
interface Request {
  readonly number: number;
  readonly sentAt: number;
  readonly expires: number;
}

function request(number: number, sentAt = NOW): Request {
  return { number, sentAt, expires: sentAt + 30 };
}

function requests(count: number, from = 0): Request[] {
  return Array.from({ length: count }, (_, i) => request(from + i));
}

interface Settings {
  readonly segmentRecords?: number;
  readonly entryRequests?: number;
  readonly windowRequests?: number;
  readonly now?: number;
  readonly checkMs?: number;
}

/** A journal, what it found, and what it reported. */
class OpenJournal {
  readonly journal: ReplayJournal;
  readonly found: number[] = [];
  readonly faults: string[] = [];
  readonly recoveries: string[] = [];
  #onReport = (): void => {};
  now: number;

  constructor(folder: TempFolder, settings: Settings = {}) {
    this.now = settings.now ?? NOW;
    this.journal = new ReplayJournal({
      folder: folder.join("state"),
      windowRequests: settings.windowRequests ?? 1000,
      entryRequests: settings.entryRequests ?? 1000,
      segmentRecords: settings.segmentRecords ?? 1000,
      checkMs: settings.checkMs ?? 0,
      pauses: { firstPauseMs: 5, longestPauseMs: 20 },
      nowSeconds: () => this.now,
      onRecord: (words) => this.found.push(words[0] ?? -1),
      observer: {
        fault: (part, what) => {
          assert.equal(part, "journal");
          this.faults.push(what);
          this.#onReport();
        },
        recovered: (_, what) => {
          this.recoveries.push(what);
          this.#onReport();
        },
      },
    });
  }

  write(all: readonly Request[]): void {
    for (const { number, sentAt, expires } of all) {
      const words = Uint32Array.from({ length: 8 }, (_, i) => number + i);
      this.journal.append(words, { sentAtSeconds: sentAt, expiresAtSeconds: expires });
    }
    this.journal.flush();
  }

  /** Writes requests one by one, as they come in different turns of the event loop. */
  async writeEach(all: readonly Request[]): Promise<void> {
    for (const each of all) {
      this.write([each]);
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  }

  async recovered(): Promise<void> {
    while (this.recoveries.length < this.faults.length) {
      await new Promise<void>((resolve) => void (this.#onReport = resolve));
    }
  }

  [Symbol.dispose](): void {
    this.journal.close();
  }
}

async function stateFolder(): Promise<TempFolder> {
  const folder = await TempFolder.make();
  await Deno.mkdir(folder.join("state"));
  return folder;
}

/** Numbers of the requests that a journal of the folder has, and since when it is complete. */
function reopen(folder: TempFolder, now = NOW + 1): { found: number[]; since: number } {
  using open = new OpenJournal(folder, { now });
  return { found: open.found, since: open.journal.completeSince };
}

function numbers(all: readonly Request[]): number[] {
  return all.map(({ number }) => number);
}

Deno.test("ReplayJournal finds after a restart what was flushed, in order, and is complete then", async () => {
  await using folder = await stateFolder();
  const first = requests(5), second = requests(5, 5);
  {
    using open = new OpenJournal(folder);
    assert.equal(open.journal.completeSince, NOW, "nothing was there");
    open.write(first);
  }
  {
    using open = new OpenJournal(folder);
    assert.equal(open.journal.completeSince, NOW);
    assert.equal(open.journal.found, 5);
    open.write(second);
  }
  assert.deepEqual(reopen(folder), { found: numbers([...first, ...second]), since: NOW });
  assert.deepEqual(await folder.names("state"), ["replay-00000001.journal"]);
  assert.equal(await folder.mode("state/replay-00000001.journal"), "600");
});

Deno.test("ReplayJournal keeps its key across restarts", async () => {
  await using folder = await stateFolder();
  using first = new OpenJournal(folder);
  first.write(requests(1));
  using second = new OpenJournal(folder);
  assert.deepEqual(second.journal.key, first.journal.key);
});

Deno.test("ReplayJournal.flush() hands everything to the operating system at once", async () => {
  await using folder = await stateFolder();
  using open = new OpenJournal(folder);
  open.write(requests(3));
  const { size } = await Deno.stat(folder.join("state/replay-00000001.journal"));
  assert.equal(size, HEADER_BYTES + 3 * RECORD_BYTES);
});

Deno.test("ReplayJournal goes on in a new file when one is full, and finds the records of all", async () => {
  await using folder = await stateFolder();
  const all = requests(25);
  {
    using open = new OpenJournal(folder, { segmentRecords: 10 });
    await open.writeEach(all);
  }
  assert.deepEqual(await folder.names("state"), [1, 2, 3].map((n) => `replay-0000000${n}.journal`));
  assert.deepEqual(reopen(folder), { found: numbers(all), since: NOW });
});

Deno.test("ReplayJournal removes files of which nothing is needed, and stays complete", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder, { segmentRecords: 10, entryRequests: 30 });
    for (let i = 0; i < 200; i++) {
      open.now = NOW + i;
      await open.writeEach([request(i, open.now)]);
    }
  }
  const names = await folder.names("state");
  assert.ok(names.length <= 6, names.join());
  const { found, since } = reopen(folder, NOW + 200);
  assert.deepEqual(found.slice(-30), numbers(requests(30, 170)));
  assert.equal(since, NOW);
});

Deno.test("ReplayJournal copies requests that have not expired out of a file that it removes", async () => {
  await using folder = await stateFolder();
  const late = { number: 7, sentAt: NOW, expires: NOW + 86_400 };
  {
    const settings = { segmentRecords: 10, entryRequests: 20, windowRequests: 20 };
    using open = new OpenJournal(folder, settings);
    open.write([late]);
    await open.writeEach(requests(500, 100));
  }
  assert.ok((await folder.names("state")).length < 10);
  const { found, since } = reopen(folder);
  assert.ok(found.includes(late.number));
  assert.equal(since, NOW);
});

const NAME = "state/replay-00000001.journal";
const SECOND = "state/replay-00000002.journal";

/** Bytes of a file with some change. */
async function change(
  folder: TempFolder,
  name: string,
  change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
): Promise<void> {
  const path = folder.join(name);
  await Deno.writeFile(path, change(await Deno.readFile(path)));
}

function flipped(bytes: Uint8Array<ArrayBuffer>, at: number): Uint8Array {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

const DAMAGE: readonly {
  what: string;
  harm: (folder: TempFolder) => Promise<void>;
  found: number[];
}[] = [
  {
    what: "all files removed",
    harm: async (folder) => {
      await Deno.remove(folder.join(NAME));
      await Deno.remove(folder.join(SECOND));
    },
    found: [],
  },
  {
    what: "the first file removed",
    harm: (folder) => Deno.remove(folder.join(NAME)),
    found: [3, 4],
  },
  {
    what: "the last file removed",
    harm: (folder) => Deno.remove(folder.join(SECOND)),
    found: [0, 1, 2],
  },
  {
    what: "magic changed",
    harm: (folder) => change(folder, NAME, (bytes) => flipped(bytes, 0)),
    found: [3, 4],
  },
  {
    what: "key changed",
    harm: (folder) => change(folder, SECOND, (bytes) => flipped(bytes, 10)),
    found: [0, 1, 2],
  },
  {
    what: "emptied",
    harm: (folder) => change(folder, SECOND, () => new Uint8Array()),
    found: [0, 1, 2],
  },
  {
    what: "cut in the header",
    harm: (folder) => change(folder, SECOND, (bytes) => bytes.subarray(0, 10)),
    found: [0, 1, 2],
  },
  {
    what: "cut in a record",
    harm: (folder) => change(folder, SECOND, (bytes) => bytes.subarray(0, -5)),
    found: [0, 1, 2, 3],
  },
  {
    what: "a record changed",
    harm: (folder) => change(folder, NAME, (bytes) => flipped(bytes, HEADER_BYTES + 7)),
    found: [1, 2, 3, 4],
  },
  {
    what: "ten bytes inserted before the records",
    harm: (folder) =>
      change(folder, NAME, (bytes) => {
        const inserted = new Uint8Array(bytes.length + 10);
        inserted.set(bytes.subarray(0, HEADER_BYTES));
        inserted.set(bytes.subarray(HEADER_BYTES), HEADER_BYTES + 10);
        return inserted;
      }),
    found: [3, 4],
  },
  {
    what: "zeros at the end, as a power cut leaves them",
    harm: (folder) =>
      change(folder, SECOND, (bytes) => {
        const longer = new Uint8Array(bytes.length + 2 * RECORD_BYTES);
        longer.set(bytes);
        return longer;
      }),
    found: [0, 1, 2, 3, 4],
  },
  {
    what: "one file in the place of the other",
    harm: (folder) => Deno.copyFile(folder.join(NAME), folder.join(SECOND)),
    found: [0, 1, 2],
  },
];

for (const { what, harm, found } of DAMAGE) {
  Deno.test(`ReplayJournal that is damaged (${what}) refuses what is older than the start, once`, async () => {
    await using folder = await stateFolder();
    {
      using open = new OpenJournal(folder, { segmentRecords: 3 });
      await open.writeEach(requests(5));
    }
    assert.deepEqual(reopen(folder, NOW).since, NOW);
    await harm(folder);
    assert.deepEqual(reopen(folder, NOW + 10), { found, since: NOW + 10 });
    // The damage is known now: the next start is not held against it.
    assert.deepEqual(reopen(folder, NOW + 20), { found, since: NOW + 10 });
    assert.deepEqual(reopen(folder, NOW + 30), { found, since: NOW + 10 });
  });
}

Deno.test("ReplayJournal that cannot be opened says which folder and why", async () => {
  await using folder = await stateFolder();
  await Deno.mkdir(folder.join(NAME));
  assert.throws(() => new OpenJournal(folder), {
    name: "ConfigError",
    message: /^Cannot use the replay journal in .*state: it is a folder$/,
  });
  assert.throws(() => new OpenJournal(new TempFolderless(folder.path) as unknown as TempFolder), {
    message: /not found$/,
  });
});

class TempFolderless {
  constructor(readonly path: string) {}
  join(): string {
    return join(this.path, "nowhere");
  }
}

Deno.test("ReplayJournal whose files are removed while it is open goes on in a new one", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder);
    open.write([request(1, NOW + 5)]);
    await Deno.remove(folder.join(NAME));
    open.write([request(2)]);
    assert.deepEqual(await folder.names("state"), ["replay-00000002.journal"]);
  }
  const { found, since } = reopen(folder, NOW + 20);
  assert.deepEqual(found, [2]);
  assert.equal(since, NOW + 6, "later than any request that was in the removed file");
});

Deno.test("ReplayJournal whose folder is removed while it is open creates it again", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder);
    open.write([request(1)]);
    await Deno.remove(folder.join("state"), { recursive: true });
    open.write([request(2)]);
  }
  assert.deepEqual(reopen(folder), { found: [2], since: NOW + 1 });
  assert.equal(await folder.mode("state"), "700");
});

Deno.test("ReplayJournal that cannot be written says so once, goes on, and recovers by itself", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder);
    open.write([request(1)]);
    // A file where the folder should be: nothing can be created there.
    await Deno.rename(folder.join("state"), folder.join("aside"));
    await Deno.writeTextFile(folder.join("state"), "");
    open.write([request(2)]);
    open.write([request(3)]);
    assert.equal(open.faults.length, 1);
    assert.match(open.faults[0] ?? "", /^Cannot write .*replay-00000001\.journal: /);
    await Deno.remove(folder.join("state"));
    await open.recovered();
    open.write([request(4)]);
    assert.equal(open.faults.length, 1);
  }
  assert.deepEqual(reopen(folder), { found: [2, 3, 4], since: NOW + 1 });
});

Deno.test("ReplayJournal that could not be written until the process ended is not complete", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder);
    open.write([request(1)]);
    await Deno.rename(folder.join("state"), folder.join("aside"));
    await Deno.writeTextFile(folder.join("state"), "");
    open.write([request(2)]);
  }
  await Deno.remove(folder.join("state"));
  await Deno.rename(folder.join("aside"), folder.join("state"));
  assert.deepEqual(reopen(folder, NOW + 10), { found: [1], since: NOW + 10 });
});

Deno.test("ReplayJournal that could not keep all that could not be written is complete from later on", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder);
    await Deno.rename(folder.join("state"), folder.join("aside"));
    await Deno.writeTextFile(folder.join("state"), "");
    for (let i = 0; i < 2000; i++) open.write([request(i, NOW + 3)]);
    await Deno.remove(folder.join("state"));
    await open.recovered();
    open.write([request(5000)]);
  }
  const { found, since } = reopen(folder);
  assert.equal(found.at(-1), 5000);
  assert.equal(since, NOW + 4);
});

Deno.test("ReplayJournal that cannot create its next file goes on in the present one", async () => {
  await using folder = await stateFolder();
  {
    using open = new OpenJournal(folder, { segmentRecords: 2 });
    await Deno.mkdir(folder.join(SECOND));
    await open.writeEach(requests(6));
    await Deno.remove(folder.join(SECOND));
    await open.recovered();
    assert.equal(open.faults.length, 1);
    open.write([request(6)]);
  }
  assert.deepEqual(reopen(folder), { found: numbers(requests(7)), since: NOW });
  assert.deepEqual(await folder.names("state"), [
    "replay-00000001.journal",
    "replay-00000002.journal",
  ]);
});
