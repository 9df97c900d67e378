/**
 * @module
 * Results → bench/results.json, the performance section of README, and the plot.
 */
import type { FunctionFigures } from "./functions.ts";
import type { Size } from "./sizes.ts";
import type { StrangerFigures } from "./strangers.ts";
import type { Throughput } from "./throughput.ts";

/** Everything that one run measured. */
export interface Results {
  readonly date: string;
  readonly machine: string;
  readonly deno: string;
  readonly rounds: number;
  readonly throughput: readonly Throughput[];
  readonly functions: FunctionFigures;
  readonly strangers: StrangerFigures;
  readonly sizes: readonly Size[];
  readonly micro: Readonly<Record<string, number>>;
  readonly longestStretchMs: number;
}

const ROOT = new URL("../", import.meta.url);
const BEGIN = "<!-- performance: written by deno task bench -->";
const END = "<!-- end of performance -->";

/** Writes the three files. */
export async function writeReport(results: Results): Promise<void> {
  await Deno.writeTextFile(
    new URL("bench/results.json", ROOT),
    JSON.stringify(results, null, 2) + "\n",
  );
  await Deno.writeTextFile(new URL("docs/throughput.svg", ROOT), plot(results.throughput));
  const path = new URL("README.md", ROOT);
  await Deno.writeTextFile(path, withSection(await Deno.readTextFile(path), results));
}

/** README with the section for some results in place of the one that it has. */
export function withSection(readme: string, results: Results): string {
  const begin = readme.indexOf(BEGIN), end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error("README has no performance section");
  return `${readme.slice(0, begin)}${BEGIN}\n\n${section(results)}\n${readme.slice(end)}`;
}

function section(results: Results): string {
  const { date, machine, deno, rounds, throughput, functions, strangers, sizes, micro } = results;
  const rows = throughput.map(({ name, requestsPerSecond, echoRatio }) => [
    name,
    number(requestsPerSecond),
    echoRatio.toFixed(echoRatio < 0.1 ? 4 : 2),
  ]);
  const [one, ...more] = sizes;
  const start = more.map(({ clients, readyMs, loadedMs, megabytes }) =>
    `with ${number(clients)} clients ${
      seconds(readyMs - (one?.readyMs ?? 0))
    } more until it listens, ` +
    `${seconds(loadedMs - (one?.loadedMs ?? 0))} more until every key is in memory, and ` +
    // Garbage that was not collected yet differs more than a few keys take.
    `${Math.max(0, megabytes - (one?.megabytes ?? 0)).toFixed(0)} MB more`
  );
  const ratio = strangers.knownP99UnderFloodMs / strangers.knownP99Ms;
  return [
    `Measured on ${date} with Deno ${deno}: ${machine}; one core for the server, one for \`wrk\` and`,
    "the functions; 64 connections; real sealed requests with fresh nonces; medians of ",
    `${rounds} rounds in which all take turns.`,
    "",
    table(["", "requests/s", "÷ echo"], rows),
    "",
    "`wrk` is not the bottleneck: it gets the echo's answers at that rate with the same script and the",
    "same bodies.",
    "",
    "![Requests a second against registered clients](docs/throughput.svg)",
    "",
    `- A call alone takes ${number(functions.aloneMicroseconds)} µs from server to function and`,
    `  back; with 64 at a time it is ${number(functions.callsPerSecond)} calls/s. Functions can be`,
    `  called ${number(functions.loadMs)} ms after the ready line; earlier calls wait.`,
    `- The p99 of calls one after the other over HTTP is ${functions.p99Ms.toFixed(1)} ms,`,
    `  ${
      functions.p99BesideLoopMs.toFixed(1)
    } ms while another function is in an endless loop, and`,
    `  ${
      functions.p99BesideProgramMs.toFixed(1)
    } ms while any other program takes one of the cores.`,
    `- A client that was never heard from costs ${
      strangers.unseenMicrosecondsPerKey.toFixed(2)
    } µs for each`,
    "  registered key, once. With 10,000 clients a stranger is refused after",
    `  ${
      strangers.strangerMs.toFixed(1)
    } ms, as after any refusal, which are held on purpose; with`,
    "  100,000 the search holds the event loop for",
    `  ${results.longestStretchMs.toFixed(1)} ms at a stretch.`,
    `- A flood of strangers, each from an address of its own (${
      number(strangers.floodPerSecond)
    } refused a second):`,
    `  the p99 of a known client is ${strangers.knownP99UnderFloodMs.toFixed(2)} ms, ${
      ratio.toFixed(1)
    } × that`,
    `  without (${strangers.knownP99Ms.toFixed(2)} ms).`,
    `- It is ready in ${seconds(one?.readyMs ?? 0)} with ${(one?.megabytes ?? 0).toFixed(0)} MB; ${
      start.join("; ")
    }.`,
    "",
    table(
      ["part of a request", "µs"],
      Object.entries(micro).map(([name, value]) => [name, value.toFixed(2)]),
    ),
    "",
  ].join("\n");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(3, ...all.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

function number(value: number): string {
  return Math.round(value).toLocaleString("en");
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}

/** Both axes logarithmic: 1 to 10,000 clients, 1 to 100,000 requests/s. */
function plot(throughput: readonly Throughput[]): string {
  const x = (clients: number): number => 80 + 130 * Math.log10(clients);
  const y = (rate: number): number => 320 - 58 * Math.log10(Math.max(1, rate));
  const series = [
    { kind: "server", name: "this server", color: "#1a6fb5" },
    { kind: "baseline", name: "key derivation for each trial", color: "#b5451a" },
  ] as const;
  const grid = [0, 1, 2, 3, 4, 5].map((power) =>
    `<line x1="80" x2="620" y1="${y(10 ** power)}" y2="${y(10 ** power)}" stroke="#ddd"/>` +
    `<text x="72" y="${y(10 ** power) + 4}" text-anchor="end">${number(10 ** power)}</text>`
  );
  const ticks = [0, 1, 2, 3, 4].map((power) =>
    `<text x="${x(10 ** power)}" y="340" text-anchor="middle">${number(10 ** power)}</text>`
  );
  const lines = series.map(({ kind, name, color }) => {
    const points = throughput.filter((each) => each.kind === kind)
      .map((each): [number, number] => [x(each.clients), y(each.requestsPerSecond)]);
    const dots = points.map(([cx, cy]) =>
      `<circle cx="${cx}" cy="${cy.toFixed(1)}" r="4" fill="${color}"/>`
    );
    const [firstX = 0, firstY = 0] = points[0] ?? [];
    return `<polyline points="${
      points.map(([px, py]) => `${px},${py.toFixed(1)}`).join(" ")
    }" fill="none" stroke="${color}" stroke-width="2"/>` +
      dots.join("") +
      `<text x="${firstX + 6}" y="${
        (firstY - 12).toFixed(1)
      }" text-anchor="end" fill="${color}">${name}</text>`;
  });
  return [
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 375" font-family="sans-serif" font-size="13" fill="#333">',
    '<rect width="640" height="375" fill="#fff"/>',
    ...grid,
    ...ticks,
    '<text x="350" y="364" text-anchor="middle">registered clients</text>',
    '<text x="16" y="20">requests a second</text>',
    ...lines,
    "</svg>",
    "",
  ].join("\n");
}
