/**
 * @module
 * Runs the client's tests in a page, and posts their outcome to where the page is from.
 */
import { outcome } from "./suite.ts";

await fetch("/outcome", { method: "POST", body: JSON.stringify(outcome) });
