/**
 * @module
 * The ladder as a picture: a bar for each step of a call.
 */
import type { Step } from "./rows.ts";

const WIDTH = 640;
const LEFT = 265;
const RIGHT = 60;
const TOP = 40;
const ROW = 30;

/** A picture (SVG) of the CPU time of a call, step by step. The dark part is what a step adds. */
export function plotLadder(steps: readonly Step[]): string {
  const micros = steps.map(({ cpuMicros }) => cpuMicros.median);
  const scale = (WIDTH - LEFT - RIGHT) / Math.max(...micros);
  const height = TOP + steps.length * ROW + 10;
  const bars = steps.flatMap(({ name }, i) => {
    const y = TOP + i * ROW;
    const now = (micros[i] ?? 0) * scale, before = Math.min(now, (micros[i - 1] ?? 0) * scale);
    const text = y + 15;
    return [
      `<text x="${LEFT - 8}" y="${text}" text-anchor="end">${escape(name)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${before.toFixed(1)}" height="20" fill="#a9c9e6"/>`,
      `<rect x="${(LEFT + before).toFixed(1)}" y="${y}" width="${
        (now - before).toFixed(1)
      }" height="20" fill="#1a6fb5"/>`,
      `<text x="${(LEFT + now + 6).toFixed(1)}" y="${text}">${(micros[i] ?? 0).toFixed(1)}</text>`,
    ];
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" fill="#333">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    '<text x="16" y="22" font-weight="bold">CPU time of a call by step, µs (32 connections)</text>',
    ...bars,
    "</svg>",
    "",
  ].join("\n");
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
