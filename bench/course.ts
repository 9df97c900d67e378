/**
 * @module
 * What every part of a benchmark shares: the started programs, one set of keys that all of them know,
 * the requests of a round, and the load generators.
 */
import { join } from "node:path";
import { compileRate, type Load, type LoadResult, runRate, runWrk } from "./load.ts";
import { measure, mergeTurns, type Sample, type Samples, takeTurns } from "./rounds.ts";
import {
  type BenchKeys,
  installConstant,
  makeKeys,
  makeStore,
  sealRequests,
  writeBodies,
} from "./store.ts";
import { measureAlone, startSubject, type Subject, waitUntilServing } from "./subject.ts";

/** How long and how often to measure. */
export interface Effort {
  readonly rounds: number;
  /** For which a round measures each program, in turns of a second. */
  readonly seconds: number;
  /** Registered clients of a large installation. */
  readonly clients: number;
  /** Only whether it runs is of interest: programs are measured before they are warm. */
  readonly isBrief: boolean;
}

/** How a program is loaded. */
export interface LoadForm {
  readonly connections: number;
  /** Turns of each program in a round. */
  readonly turns: number;
  /** Of one turn; without, one. */
  readonly seconds?: number;
  /** A constant rate for each program; without, as fast as the answers come. */
  readonly rates?: Readonly<Record<string, number>>;
}

/** More requests are prepared than the fastest program answered before, by this factor. */
const MARGIN = 1.5;
/** Requests a second for which a round is prepared at least: a busy machine may be quiet later. */
const LEAST = 60_000;
/** Requests a second that no server reaches; for the first rounds, which are not counted. */
const FIRST_GUESS = 150_000;
/**
 * Answers after which the runtime has compiled everything that it will. Until then a call costs up to a half
 * more, and the program that is measured second seems cheaper.
 */
export const WARM_ANSWERS = 200_000;
/** A machine that is too slow for that is measured as it is. */
const MOST_FIRST_ROUNDS = 20;
/** Requests of one measurement where only whether it runs is of interest, and their constant rate. */
const BRIEF_REQUESTS = 300;
const BRIEF_RATE = 200;
/** Requests are dated so far ahead that they are valid through a whole round, with RequestTTL=30. */
const AHEAD_SECONDS = 15;

/** Programs that are measured in turn with the same requests. */
export class Course {
  readonly keys: BenchKeys = makeKeys(1);
  readonly #folder: string;
  readonly #rateProgram: string;
  readonly #subjects = new Map<string, Subject>();
  /** Programs that refuse a request which they have answered before. */
  readonly #once = new Set<string>();
  /** Answers of each program so far. */
  readonly #answers = new Map<string, number>();
  /** Answers a second of the fastest of the programs that answer once. */
  #fastest = 0;

  /** Only whether it runs is of interest. */
  readonly #isBrief: boolean;

  private constructor(folder: string, rateProgram: string, isBrief: boolean) {
    this.#folder = folder;
    this.#rateProgram = rateProgram;
    this.#isBrief = isBrief;
  }

  /** Prepares a course in a folder of its own. */
  static async open(parent: string, { isBrief }: Effort): Promise<Course> {
    const folder = await Deno.makeTempDir({ dir: parent, prefix: "course-" });
    return new Course(folder, await compileRate(folder), isBrief);
  }

  /** Starts a program in the folder of a server that has the keys, and waits until it can be called. */
  async add(
    name: string,
    line: readonly string[],
    { clients = 1, config = "", isServer = true, answersOnce = true } = {},
  ): Promise<Subject> {
    const home = join(this.#folder, `home ${this.#subjects.size}`);
    await makeStore(home, { count: clients, senderCount: 1, config, keys: this.keys });
    await installConstant(home);
    const subject = await startSubject(line, home);
    this.#subjects.set(name, subject);
    if (answersOnce) this.#once.add(name);
    if (isServer) await waitUntilServing(subject);
    return subject;
  }

  /** Stops every program. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const subject of this.#subjects.values()) await subject.stop();
  }

  /** Measures the programs in turn, with fresh requests in each turn. Programs are warm before. */
  async run<Name extends string>(
    names: readonly Name[],
    rounds: number,
    form: LoadForm,
  ): Promise<Samples<Name>> {
    const path = join(this.#folder, "bodies");
    const { rates, turns, seconds = 1 } = form;
    const rate = rates && Math.max(...Object.values(rates));
    this.#fastest = 0;
    const first = { ...form, seconds: 1 };
    let isCold = !this.#isBrief;
    for (let round = 0; isCold && round < MOST_FIRST_ROUNDS; round++) {
      const most = rate ?? (this.#fastest === 0 ? FIRST_GUESS : MARGIN * this.#fastest);
      await takeTurns(names, 1, {
        begin: () => this.#prepare(path, Math.max(LEAST, most)),
        take: (name) => this.#take(name, path, first),
      });
      isCold = names.some((name) => (this.#answers.get(name) ?? 0) < WARM_ANSWERS);
    }
    const taken = await takeTurns(names, rounds * turns, {
      begin: () => this.#prepare(path, seconds * (rate ?? Math.max(LEAST, MARGIN * this.#fastest))),
      take: (name) => this.#take(name, path, form),
    });
    const merged = names.map((name) => [name, mergeTurns(taken[name], turns)]);
    return Object.fromEntries(merged) as Samples<Name>;
  }

  async #prepare(path: string, most: number): Promise<void> {
    const count = this.#isBrief ? BRIEF_REQUESTS : Math.ceil(most) + 1000;
    const nowSeconds = Math.floor(Date.now() / 1000) + AHEAD_SECONDS;
    await writeBodies(path, sealRequests(this.keys, this.keys.senders, count, { nowSeconds }));
  }

  async #take(name: string, bodies: string, form: LoadForm): Promise<Sample> {
    const subject = this.#subjects.get(name);
    if (subject === undefined) throw new Error(`${name} was not started`);
    const { connections, seconds = 1, rates } = form;
    const isBrief = this.#isBrief;
    const load: Load = { url: subject.url, bodies, connections, seconds, isBrief };
    const rate = rates && (isBrief ? BRIEF_RATE : rates[name]);
    const run = async (): Promise<LoadResult> => {
      const result = rate === undefined
        ? await runWrk(load)
        : await runRate(this.#rateProgram, load, rate);
      const { requests, refused, missing } = result;
      if (refused > (isBrief ? connections : 0) || missing > 0) {
        throw new Error(
          `${name} refused ${refused} of ${requests} requests and left ${missing} without an answer; its log ends:\n${subject.logEnd()}`,
        );
      }
      return result;
    };
    const subjects = this.#subjects.values();
    const sample = await measureAlone(subject, subjects, () => measure(subject, run));
    const answers = sample.requestsPerSecond * seconds;
    this.#answers.set(name, answers + (this.#answers.get(name) ?? 0));
    if (this.#once.has(name)) this.#fastest = Math.max(this.#fastest, sample.requestsPerSecond);
    return sample;
  }
}
