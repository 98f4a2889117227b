import { number, type Row } from "./rows.ts";

const HEADINGS = [
  "measure",
  "system",
  "value",
  "spread",
  "ratio",
  "asked for",
  "CPU load / system",
  "durable when answered",
];

/** The rows as one table, which is Markdown and reads well in a terminal too. */
export function table(rows: readonly Row[]): string {
  const lines = rows.map((row, index) => cellsOf(row, rows[index - 1]));
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...lines.map((cells) => (cells[column] ?? "").length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => (cells[column] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
  return [line(HEADINGS), rule, ...lines.map(line)].join("\n");
}

function cellsOf(row: Row, above: Row | undefined): string[] {
  const measure = row.measure === above?.measure ? "" : row.measure;
  if (row.missing !== null) return [measure, row.system, "missing", "", "", "", "", row.missing];
  return [
    measure,
    row.system,
    `${number(row.value ?? Number.NaN)} ${row.unit}`,
    row.spread === null ? "" : row.spread.map(number).join(" - "),
    row.ratio === null ? "" : `${number(row.ratio)} x ${row.ratio_to}`,
    row.goal === null ? "" : `${row.goal}: ${row.reached ? "yes" : "NO"}`,
    row.load_cpu === null && row.system_cpu === null
      ? ""
      : `${cores(row.load_cpu)} / ${cores(row.system_cpu)}`,
    row.durable,
  ];
}

function cores(value: number | null): string {
  return value === null ? "-" : value.toFixed(2);
}
