/**
 * @module
 * Checks arguments against the JSON Schema (draft 2020-12) that a module exports, before its function
 * runs. The library generates no code.
 */
import type { OutputUnit, Schema } from "@cfworker/json-schema";
// @ts-types="@cfworker/json-schema"
import { dereference, Validator } from "./json_schema.js";
import { METASCHEMA, SOME_TYPES } from "./metaschema.ts";

/** The first thing in which arguments do not fit. */
export interface ParamsFault {
  /** JSON Pointer (RFC 6901) into the arguments. */
  readonly path: string;
  /** From the schema: keyword and its value. */
  readonly expected: string;
}

/** Characters of `expected`. */
const MAX_EXPECTED = 200;
const DRAFT = "2020-12";

/** Checks the arguments of one function. */
export class ParamsCheck {
  readonly #schema: Schema;
  readonly #validator: Validator;

  /** @param schema one for which {@link schemaFault} has no complaint */
  constructor(schema: Schema) {
    this.#schema = schema;
    this.#validator = new Validator(schema, DRAFT);
  }

  /** Nothing when the arguments fit. */
  check(params: unknown): ParamsFault | undefined {
    const { valid, errors } = this.#validator.validate(params);
    if (valid) return undefined;
    const error = innermost(errors);
    if (error === undefined) return { path: "", expected: "what the schema says" };
    const { keyword, keywordLocation, instanceLocation } = error;
    const path = instanceLocation.slice(1);
    const value = valueAt(this.#schema, keywordLocation);
    // The library names the member in its message only.
    const member = /"(.*)"/s.exec(error.error)?.[1] ?? "";
    if (keyword === "required") return { path, expected: `the member ${member}` };
    if (value === false) return { path: `${path}/${escape(member)}`, expected: "no such member" };
    const expected = value === undefined ? keyword : `${keyword} ${JSON.stringify(value)}`;
    return { path, expected: expected.slice(0, MAX_EXPECTED) };
  }
}

/** Made when a module has a schema: few have one. */
let metaCheck: ParamsCheck | undefined;

/** A name as a part of a JSON Pointer. */
function escape(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}

/**
 * The error that says most: what several schemas are tried for (`anyOf` and the like) as a whole, else the
 * one that no other error goes into.
 */
function innermost(errors: readonly OutputUnit[]): OutputUnit | undefined {
  const choices = ["anyOf", "oneOf", "not", "if"];
  const isAround = ({ keywordLocation }: OutputUnit): boolean =>
    errors.some((other) => other.keywordLocation.startsWith(`${keywordLocation}/`));
  return errors.find((error) => choices.includes(error.keyword) || !isAround(error));
}

/** The value of a keyword in a schema; `$ref` is followed within the schema. */
function valueAt(schema: Schema, location: string): unknown {
  let value: unknown = schema;
  for (const part of location.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    value = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
    if (name !== "$ref" || typeof value !== "string") continue;
    if (!value.startsWith("#")) return undefined;
    value = valueAt(schema, value);
  }
  return value;
}

/** Why a schema cannot be used; nothing when it can. */
export function schemaFault(schema: Schema): string | undefined {
  metaCheck ??= new ParamsCheck(METASCHEMA);
  const fault = metaCheck.check(schema);
  if (fault !== undefined) {
    // The one choice in the meta-schema; written out, it is 200 characters.
    const expected = fault.expected.startsWith("anyOf ") ? SOME_TYPES : fault.expected;
    return `${fault.path || "it"}: expected ${expected}`;
  }
  if (schema.type !== "object") return '/type: expected "object"';
  // The library notes in each schema with a reference where that leads.
  const copy = structuredClone(schema);
  return unusable(copy, dereference(copy));
}

/** Patterns and references that would only fail when arguments come. */
function unusable(value: unknown, known: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { pattern, patternProperties, $ref, __absolute_ref__ } = value as Schema;
  for (const each of [pattern, ...Object.keys(patternProperties ?? {})]) {
    if (typeof each === "string" && !isPattern(each)) return `the pattern ${each} is malformed`;
  }
  if (typeof $ref === "string" && !((__absolute_ref__ ?? $ref) in known)) {
    return `the reference ${$ref} leads nowhere`;
  }
  for (const each of Object.values(value)) {
    const found = unusable(each, known);
    if (found !== undefined) return found;
  }
  return undefined;
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    return false;
  }
}
