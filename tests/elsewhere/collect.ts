/**
 * @module
 * Collects tests that are written for `Deno.test`, and runs them where there is no Deno. To be imported
 * before them.
 */

const tests: [name: string, action: () => void | Promise<void>][] = [];
const place = globalThis as { Deno?: unknown };
place.Deno = {
  test: (name: string, action: () => void | Promise<void>) => void tests.push([name, action]),
};

/** What came of the tests. */
export interface Outcome {
  readonly passed: number;
  /** Name and error of each. */
  readonly failed: readonly string[];
}

/** Runs all, one after the other. */
export async function runAll(): Promise<Outcome> {
  const failed: string[] = [];
  for (const [name, action] of tests) {
    try {
      await action();
    } catch (error) {
      failed.push(`${name}: ${error instanceof Error ? error.stack : error}`);
    }
  }
  return { passed: tests.length - failed.length, failed };
}
