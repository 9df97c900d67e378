/**
 * OpenTelemetry through the runtime, received by a small collector.
 */
import assert from "node:assert/strict";
import { testIf } from "../conditions.ts";
import { waitUntil } from "../functions.ts";
import { RUNTIME, ServerProcess, TempFolder } from "../program.ts";
import { callServer, registerClient } from "../registered.ts";

interface Span {
  readonly name: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

/** Takes OTLP as JSON, and keeps the spans and what else was sent. */
class Collector {
  readonly spans: Span[] = [];
  text = "";
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const text = await request.text();
      this.text += text;
      if (request.url.endsWith("/v1/traces")) {
        for (const resource of JSON.parse(text).resourceSpans) {
          for (const { spans } of resource.scopeSpans) this.spans.push(...spans);
        }
      }
      return new Response("{}", { headers: { "content-type": "application/json" } });
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

testIf(
  !RUNTIME.isExecutable,
  "an executable has the telemetry it was compiled with",
  "OTEL_DENO: a request has the span of Deno, which tells nothing of the call",
  async () => {
    await using folder = await TempFolder.make();
    const client = await registerClient(folder);
    await using collector = new Collector();
    const env = {
      OTEL_DENO: "true",
      OTEL_SERVICE_NAME: "msp",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
    };
    await using server = await ServerProcess.start({ cwd: folder.path, env });
    await server.waitForLog(/Functions: time_test/);
    assert.match(String(await callServer(server.url, client, "time_test")), /^It is currently/);
    await waitUntil(
      () => Promise.resolve(collector.spans.some(({ name }) => name === "POST")),
      "the span of the request",
    );
    for (const secret of [client.secretHex, await folder.read("client.pub"), "time_test"]) {
      assert.ok(!collector.text.includes(secret), "telemetry names the function or the caller");
    }
  },
);
