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
  "an executable has the telemetry that it was compiled with",
  "OTEL_DENO: a call has spans for finding the sender, the function and the seal",
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
    const names = ["find-sender", "function", "seal"];
    const ours = (): Span[] => collector.spans.filter(({ name }) => names.includes(name));
    await waitUntil(
      () => Promise.resolve(names.every((name) => ours().some((each) => each.name === name))),
      "the three spans",
    );
    await waitUntil(
      () => Promise.resolve(collector.spans.some(({ name }) => name === "POST")),
      "the span of the request",
    );
    const request = collector.spans.find(({ name }) => name === "POST");
    for (const { name, parentSpanId } of ours()) assert.equal(parentSpanId, request?.spanId, name);
    for (const secret of [client.secretHex, await folder.read("client.pub"), "time_test"]) {
      assert.ok(!collector.text.includes(secret), "telemetry tells what was called by whom");
    }
  },
);
