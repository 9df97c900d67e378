/**
 * @module
 * What a JSON Schema may look like: the keywords of draft 2020-12 whose form a typo breaks, in one schema.
 */
import type { Schema } from "@cfworker/json-schema";

const SCHEMA = { $ref: "#" };
const SCHEMAS = { type: "array", minItems: 1, items: SCHEMA };
const SCHEMA_MAP = { type: "object", additionalProperties: SCHEMA };
const COUNT = { type: "integer", minimum: 0 };
const NUMBER = { type: "number" };
const TEXT = { type: "string" };
const FLAG = { type: "boolean" };
const NAMES = { type: "array", items: TEXT };
const TYPES = ["array", "boolean", "integer", "null", "number", "object", "string"];
const TYPE = { enum: TYPES };

/** What `type` may be. */
export const SOME_TYPES = `one of ${TYPES.join(", ")}, or a list of them`;

/** A schema for schemas. */
export const METASCHEMA = {
  type: ["object", "boolean"],
  properties: {
    ...Object.fromEntries(
      ["$id", "$schema", "$ref", "$anchor", "$comment"].map((each) => [each, TEXT]),
    ),
    ...Object.fromEntries(
      ["title", "description", "format", "pattern"].map((each) => [each, TEXT]),
    ),
    $defs: SCHEMA_MAP,
    type: { anyOf: [TYPE, { type: "array", items: TYPE, minItems: 1, uniqueItems: true }] },
    enum: { type: "array", minItems: 1 },
    properties: SCHEMA_MAP,
    patternProperties: SCHEMA_MAP,
    additionalProperties: SCHEMA,
    propertyNames: SCHEMA,
    unevaluatedProperties: SCHEMA,
    required: NAMES,
    dependentRequired: { type: "object", additionalProperties: NAMES },
    dependentSchemas: SCHEMA_MAP,
    minProperties: COUNT,
    maxProperties: COUNT,
    prefixItems: SCHEMAS,
    items: SCHEMA,
    unevaluatedItems: SCHEMA,
    contains: SCHEMA,
    minContains: COUNT,
    maxContains: COUNT,
    minItems: COUNT,
    maxItems: COUNT,
    uniqueItems: FLAG,
    minimum: NUMBER,
    maximum: NUMBER,
    exclusiveMinimum: NUMBER,
    exclusiveMaximum: NUMBER,
    multipleOf: { type: "number", exclusiveMinimum: 0 },
    minLength: COUNT,
    maxLength: COUNT,
    allOf: SCHEMAS,
    anyOf: SCHEMAS,
    oneOf: SCHEMAS,
    not: SCHEMA,
    if: SCHEMA,
    then: SCHEMA,
    else: SCHEMA,
    deprecated: FLAG,
    readOnly: FLAG,
    writeOnly: FLAG,
    examples: { type: "array" },
  },
} as unknown as Schema;
