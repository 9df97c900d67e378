/**
 * @module
 * Rows of a report: a figure of the server, and the same figure of something that it is held against.
 */
import { type Estimate, estimate, pairedRatio } from "./statistics.ts";

/** Units of figures. */
export type Unit = "µs" | "ms" | "MB" | "/s";

/** A figure, and what it is held against. */
export interface Row {
  readonly name: string;
  readonly unit: Unit;
  readonly value: Estimate;
  readonly beside?: Beside;
}

/** The same figure of another program, measured in the same rounds. */
export interface Beside {
  readonly name: string;
  readonly value: Estimate;
  /** Pair by pair: the row's figure divided by this one. */
  readonly ratio: Estimate;
}

/** What a row shows: its name, and how to read its figure from what was measured once. */
export interface Figure<T> {
  readonly name: string;
  readonly unit: Unit;
  readonly of: (taken: T) => number;
}

/** Makes a row of a program, beside another one that was measured in the same rounds. */
export function makeRow<T>(
  { name, unit, of }: Figure<T>,
  ours: readonly T[],
  beside?: { readonly name: string; readonly taken: readonly T[] },
): Row {
  const values = ours.map(of);
  const value = estimate(values);
  if (beside === undefined) return { name, unit, value };
  const theirs = beside.taken.map(of);
  const ratio = pairedRatio(values, theirs);
  return { name, unit, value, beside: { name: beside.name, value: estimate(theirs), ratio } };
}

/** A step of the ladder. */
export interface Step {
  readonly name: string;
  /** Processor time of a request, all processes of the program. */
  readonly cpuMicros: Estimate;
  /** To the echo, pair by pair. */
  readonly ratio: Estimate;
}
