/**
 * @module
 * Rows as a Markdown table, for README and the terminal.
 */
import { percent } from "./plausible.ts";
import type { Row, Step, Unit } from "./rows.ts";

/** A Markdown table as `deno fmt` writes it. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const all = [head, ...rows];
  const widths = head.map((_, i) => Math.max(3, ...all.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/**
 * A table of rows. The spread is that of the ratio, where there is one. The third column is what the
 * first row is held against; what other rows are held against is in parentheses.
 */
export function rowTable(rows: readonly Row[]): string {
  const names = new Set(rows.flatMap(({ beside }) => beside?.name ?? []));
  if (names.size === 0) {
    return markdownTable(
      ["", "server", "spread"],
      rows.map(({ name, unit, value }) => [
        name,
        formatValue(value.median, unit),
        percent(value.spread),
      ]),
    );
  }
  const [main = ""] = names;
  const head = ["", "server", main, "ratio", "spread"];
  return markdownTable(head, rows.map((row) => cells(row, main)));
}

function cells({ name, unit, value, beside }: Row, main: string): string[] {
  const shown = formatValue(value.median, unit);
  if (beside === undefined) return [name, shown, "", "", percent(value.spread)];
  const theirs = formatValue(beside.value.median, unit);
  const of = beside.name === main ? theirs : `${theirs} (${beside.name})`;
  return [name, shown, of, beside.ratio.median.toFixed(2), percent(beside.ratio.spread)];
}

/** A table of the ladder. */
export function ladderTable(steps: readonly Step[]): string {
  return markdownTable(
    ["step of the way, 32 connections", "µs", "÷ echo", "spread"],
    steps.map(({ name, cpuMicros, ratio }) => [
      name,
      cpuMicros.median.toFixed(1),
      ratio.median.toFixed(2),
      percent(ratio.spread),
    ]),
  );
}

/**
 * A figure with its unit, with about three digits.
 */
export function formatValue(value: number, unit: Unit): string {
  const digits = value >= 100 ? 0 : value >= 3 ? 1 : 2;
  const text = value.toLocaleString("en", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  });
  return unit === "/s" ? `${text}/s` : `${text} ${unit}`;
}
