/**
 * @module
 * JSON Schema as TypeScript types: the parts that arguments of functions use. Everything else is
 * `unknown`, which accepts what the server may refuse.
 */

import { harmless } from "./render.ts";

/** A member of an object. */
export interface Member {
  readonly name: string;
  readonly schema: unknown;
  readonly isRequired: boolean;
  readonly description: string | undefined;
}

/** Schemas inside each other that are followed; a deeper one is `unknown`. */
const MAX_DEPTH = 16;
const INDENT = "  ";

/** The members of an object's schema. */
export function membersOf(schema: unknown): Member[] {
  const { properties, required } = asRecord(schema);
  const names = new Set(Array.isArray(required) ? required : []);
  return Object.entries(asRecord(properties)).map(([name, each]) => {
    const { description } = asRecord(each);
    return {
      name,
      schema: each,
      isRequired: names.has(name),
      description: typeof description === "string" ? description : undefined,
    };
  });
}

/**
 * The type of a schema.
 *
 * @param indent of the line in which it stands
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(typeOf({ type: ["string", "null"] }), "string | null");
 * assert.equal(typeOf({ type: "array", items: { enum: [1, "a"] } }), '(1 | "a")[]');
 * assert.equal(typeOf({ $ref: "#/x" }), "unknown");
 * ```
 */
export function typeOf(schema: unknown, indent = "", depth = 0): string {
  if (schema === false) return "never";
  const record = asRecord(schema);
  if (depth > MAX_DEPTH || "$ref" in record || "allOf" in record || "not" in record) {
    return "unknown";
  }
  if ("const" in record) return literal(record["const"]);
  if (Array.isArray(record["enum"])) return union(record["enum"].map(literal));
  const either = record["anyOf"] ?? record["oneOf"];
  if (Array.isArray(either)) {
    return union(either.map((each) => typeOf(each, indent, depth + 1)));
  }
  const { type } = record;
  if (Array.isArray(type)) {
    // Each type once: a list in each of some schemas inside each other would multiply.
    const all = [...new Set(type)];
    if (!all.every(isTypeName)) return "unknown";
    return union(all.map((each) => typeOf({ ...record, type: each }, indent, depth + 1)));
  }
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "number":
    case "integer":
      return "number";
    case "array":
      return arrayType(record, indent, depth);
    case "object":
      return objectType(record, indent, depth);
  }
  return "properties" in record ? objectType(record, indent, depth) : "unknown";
}

function isTypeName(type: unknown): boolean {
  return typeof type === "string" && TYPE_NAMES.includes(type);
}
const TYPE_NAMES = ["string", "boolean", "null", "number", "integer", "array", "object"];

function arrayType({ items, prefixItems }: Schema, indent: string, depth: number): string {
  if (prefixItems !== undefined) return "unknown[]";
  const each = items === undefined ? "unknown" : typeOf(items, indent, depth + 1);
  return / [|] /.test(each) ? `(${each})[]` : `${each}[]`;
}

function objectType(schema: Schema, indent: string, depth: number): string {
  const members = membersOf(schema);
  const { additionalProperties: rest } = schema;
  if (members.length === 0) {
    const other = rest === undefined || rest === true ? "unknown" : typeOf(rest, indent, depth + 1);
    return `Record<string, ${other}>`;
  }
  const inner = indent + INDENT;
  const lines = members.map(({ name, schema: each, isRequired, description }) =>
    `${comment(description, inner)}${inner}${key(name)}${isRequired ? "" : "?"}: ` +
    `${typeOf(each, inner, depth + 1)};\n`
  );
  // Others are allowed where the schema says so; types of named members need not fit theirs.
  if (rest === true || typeof rest === "object") lines.push(`${inner}[name: string]: unknown;\n`);
  return `{\n${lines.join("")}${indent}}`;
}

type Schema = Readonly<Record<string, unknown>>;

function asRecord(value: unknown): Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Schema
    : {};
}

function union(types: readonly string[]): string {
  const all = [...new Set(types)];
  if (all.length === 0) return "never";
  return all.includes("unknown") ? "unknown" : all.join(" | ");
}

function literal(value: unknown): string {
  const isPlain = value === null || ["string", "number", "boolean"].includes(typeof value);
  return isPlain ? safeJson(value) : "unknown";
}

/** A name as a member of a type. */
export function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : safeJson(name);
}

/** Line ends of TypeScript, and what could show people another text than the compiler reads. */
const MISLEADING = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** JSON that is one line of TypeScript too. */
function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    MISLEADING,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A comment above a member; a text cannot end it. */
export function comment(text: string | undefined, indent: string): string {
  if (text === undefined || text.trim() === "") return "";
  const lines = text.split(/[\r\n\u2028\u2029]+/).map((line) =>
    harmless(line.replace(MISLEADING, "\ufffd")).replaceAll("*/", "*\u200b/").trim()
  );
  return `${indent}/** ${lines.filter((line) => line !== "").join(`\n${indent} * `)} */\n`;
}
