/**
 * @module
 * The client's tests for other platforms: what does not need files or a process.
 */
import { runAll } from "./collect.ts";
import "../unit/client/connection_test.ts";
import "../unit/client/join_test.ts";
import "../unit/client/link_test.ts";

/** What came of them. */
export const outcome = await runAll();
