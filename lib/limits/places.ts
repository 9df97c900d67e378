/**
 * @module
 * Short-lived things in numbered places, which are used again. In a `Map` or `Set` they would live long:
 * a table that is outgrown points to the next one, so the first that the garbage collector counts as
 * old keeps all later ones, with whatever they ever held, from its quick rounds.
 */

/** A thing that knows its place. */
export interface Placed {
  /** Set by {@link Places.add}. */
  place: number;
}

/** Keeps things until they are taken out; its memory is that of the most that there ever were. */
export class Places<T extends Placed> {
  readonly #things: (T | undefined)[] = [];
  readonly #free: number[] = [];

  /** How many things there are. */
  get size(): number {
    return this.#things.length - this.#free.length;
  }

  add(thing: T): void {
    thing.place = this.#free.pop() ?? this.#things.length;
    this.#things[thing.place] = thing;
  }

  /** @returns whether it was there */
  remove(thing: T): boolean {
    const { place } = thing;
    if (this.#things[place] !== thing) return false;
    this.#things[place] = undefined;
    this.#free.push(place);
    return true;
  }

  /** The thing in a place. */
  at(place: number): T | undefined {
    return this.#things[place];
  }

  /** All things, in the order of their places; they may be removed meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (const thing of this.#things) if (thing !== undefined) yield thing;
  }
}
