/**
 * @module
 * Long work in slices, between which the event loop goes on.
 */
import { setImmediate } from "node:timers";

/** The first slice: about 1,000 keys are there before the first request. */
const FIRST_SLICE_MS = 100;
/** How long the work holds the event loop at a stretch after that. */
const SLICE_MS = 5;

/** Does `count` steps, the first ones now and the others in the background. */
export function inSlices(
  count: number,
  { step, onDone, isAnybodyWaiting }: {
    step: (index: number) => void;
    onDone: () => void;
    /** Then the first slice is short too. */
    isAnybodyWaiting: boolean;
  },
): void {
  let next = 0;
  function slice(milliseconds: number): void {
    const end = performance.now() + milliseconds;
    while (next < count && performance.now() < end) step(next++);
    if (next < count) setImmediate(() => slice(SLICE_MS));
    else onDone();
  }
  slice(isAnybodyWaiting ? SLICE_MS : FIRST_SLICE_MS);
}
