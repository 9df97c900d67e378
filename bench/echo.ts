/**
 * @module
 * The yardstick: what the platform does at best with bodies of this size, parsed and written again.
 */
const server = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  async (request) => Response.json(await request.json()),
);
// deno-lint-ignore no-console -- the ready line of a helper program
console.log(`ready on http://127.0.0.1:${server.addr.port}/v1`);
