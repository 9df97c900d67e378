/**
 * @module
 * What the client's tests use of node:assert/strict, for pages.
 */

/** A failed assertion. */
class AssertionError extends Error {
  override readonly name = "AssertionError";
}

type Expected = (new (...args: never[]) => unknown) | ((error: unknown) => boolean) | Error;

function fail(message: string): never {
  throw new AssertionError(message);
}

function isDeepEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return keys.length === others.length &&
    keys.every((key) =>
      Object.hasOwn(b, key) && isDeepEqual(Reflect.get(a, key), Reflect.get(b, key))
    );
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? String(value);
}

function isExpected(error: unknown, expected: Expected | undefined): boolean {
  if (expected === undefined) return true;
  if (expected instanceof Error) return error === expected;
  if (expected.prototype instanceof Error) return error instanceof expected;
  return (expected as (error: unknown) => boolean)(error);
}

const assert = {
  fail,
  ok(value: unknown, message = `${show(value)} is not true`): void {
    if (!value) fail(message);
  },
  equal(a: unknown, b: unknown, message = ""): void {
    if (!Object.is(a, b)) fail(`${show(a)}, expected ${show(b)} ${message}`);
  },
  deepEqual(a: unknown, b: unknown, message = ""): void {
    if (!isDeepEqual(a, b)) fail(`${show(a)}, expected ${show(b)} ${message}`);
  },
  match(text: string, pattern: RegExp, message = ""): void {
    if (!pattern.test(text)) fail(`${show(text)}, expected ${pattern} ${message}`);
  },
  throws(action: () => unknown, expected?: Expected): void {
    try {
      action();
    } catch (error) {
      if (!isExpected(error, expected)) throw error;
      return;
    }
    fail("nothing was thrown");
  },
  async rejects(promise: Promise<unknown>, expected?: Expected): Promise<void> {
    try {
      await promise;
    } catch (error) {
      if (!isExpected(error, expected)) throw error;
      return;
    }
    fail("nothing was thrown");
  },
};

export default assert;
