/**
 * @module
 * Runs the client's tests in Node; the last line is their outcome as JSON.
 */
import { outcome } from "./suite.ts";

// deno-lint-ignore no-console -- this is what the test reads
console.log(JSON.stringify(outcome));
