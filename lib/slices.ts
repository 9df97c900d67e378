/**
 * @module
 * Long work in short slices, between which the server answers requests.
 */
import { setImmediate } from "node:timers";

/** For how long work holds the event loop at a stretch. */
const SLICE_MS = 5;

/**
 * Does something with each item, in their order. The first slice is done at once.
 *
 * @param firstMs length of the first slice in milliseconds
 */
export function inSlices<T>(
  items: Iterable<T>,
  action: (item: T) => void,
  firstMs: number = SLICE_MS,
): Promise<void> {
  const iterator = items[Symbol.iterator]();
  return new Promise((resolve, reject) => {
    const slice = (milliseconds: number): void => {
      const end = performance.now() + milliseconds;
      try {
        do {
          const next = iterator.next();
          if (next.done) return resolve();
          action(next.value);
        } while (performance.now() < end);
      } catch (error) {
        return reject(error);
      }
      setImmediate(() => slice(SLICE_MS));
    };
    slice(firstMs);
  });
}
