/**
 * @module
 * Spans of the steps of a request, through the runtime's OpenTelemetry (`OTEL_DENO=true`). Without it,
 * nothing is loaded and nothing is done. A span says how long a step took, never what was in it.
 */

/** The steps that have a span, below the one that the runtime makes for the request. */
export type Step = "find-sender" | "function" | "seal";

/** Runs a step in a span, until its promise settles where it gives one. */
export type Trace = <T>(step: Step, action: () => T) => T;

/** Where the runtime puts its providers (the global of `@opentelemetry/api` 1.x). */
const API = Symbol.for("opentelemetry.js.api.1");

/** Tracing, where the runtime was started with it. */
export async function loadTracing(): Promise<Trace | undefined> {
  if (!(API in globalThis)) return undefined;
  const { trace } = await import("@opentelemetry/api");
  const tracer = trace.getTracer("msp");
  return (step, action) => {
    const span = tracer.startSpan(step);
    let result: ReturnType<typeof action>;
    try {
      result = action();
    } catch (error) {
      span.end();
      throw error;
    }
    if (!(result instanceof Promise)) span.end();
    else result.then(() => span.end(), () => span.end());
    return result;
  };
}
