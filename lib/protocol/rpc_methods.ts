/**
 * @module
 * The server's own methods, `rpc.*`: what a client may call, in the form of MCP tools and as an OpenRPC
 * document.
 */
import type { DescribedFunction } from "../functions/types.ts";
import { VERSION } from "../version.ts";

/** Methods with this prefix are the server's own. */
export const RPC_PREFIX = "rpc.";

const ANY_OBJECT = { type: "object" };

/**
 * The result of one of the server's own methods, as JSON text; `undefined` when there is no such method.
 *
 * @param functions those that the client may call
 */
export function ownResult(
  method: string,
  functions: () => readonly DescribedFunction[],
): string | undefined {
  if (method === "rpc.ping") return '"pong"';
  if (method === "rpc.functions") return JSON.stringify(functions().map(asTool));
  if (method === "rpc.discover") return JSON.stringify(asOpenRpc(functions()));
  return undefined;
}

function schemaOf({ about }: DescribedFunction): Record<string, unknown> {
  return about.params === undefined ? ANY_OBJECT : JSON.parse(about.params);
}

/** The form of a tool in the Model Context Protocol. */
function asTool(described: DescribedFunction): unknown {
  const { functionName: name, about: { title, description, annotations } } = described;
  return { name, title, description, inputSchema: schemaOf(described), annotations };
}

/** An OpenRPC document, https://spec.open-rpc.org */
function asOpenRpc(functions: readonly DescribedFunction[]): unknown {
  return {
    openrpc: "1.3.2",
    info: { title: "Mini Share Point", version: VERSION },
    methods: functions.map((described) => {
      const { functionName: name, about: { title, description } } = described;
      const { properties = {}, required = [] } = schemaOf(described) as {
        properties?: Record<string, unknown>;
        required?: unknown[];
      };
      const names = new Set(required);
      const params = Object.entries(properties).map(([each, schema]) => ({
        name: each,
        schema,
        required: names.has(each),
      }));
      const result = { name: "result", schema: true };
      return { name, summary: title, description, paramStructure: "by-name", params, result };
    }),
  };
}
