/**
 * @module
 * What a module says of itself, for callers: `title`, `description`, `params` (a JSON Schema) and
 * `annotations`, the form of an MCP tool. Read in the worker, and checked again wherever it crosses a
 * border: a worker is as trustworthy as its module.
 */

import { isShallow, MAX_DEPTH } from "../../json_depth.ts";

/** Hints about what a call does (Model Context Protocol, tool annotations). */
export const ANNOTATIONS = ["readOnlyHint", "destructiveHint", "idempotentHint"] as const;

/** What a module says of its function. */
export interface FunctionAbout {
  readonly title?: string;
  readonly description?: string;
  /** JSON text of a JSON Schema; without one, every object is accepted. */
  readonly params?: string;
  readonly annotations?: Readonly<Partial<Record<typeof ANNOTATIONS[number], boolean>>>;
  /** Sentences about granted paths that it cannot use, where that was tried. */
  readonly unusable?: readonly string[];
}

/** Characters of each text, beyond which it is cut. */
const MAX_TITLE = 200;
const MAX_DESCRIPTION = 4000;
const MAX_UNUSABLE = 500;
/** Paths that it cannot use; there are not more in the list. */
const MAX_PATHS = 20;
/** Characters of a schema; a larger one is refused. */
const MAX_SCHEMA = 65_536;

/**
 * What of an object can be believed: texts are cut, members of another type are left out.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.deepEqual(believeAbout({ title: "Light", description: 1, params: "{", annotations: {} }), {
 *   title: "Light",
 * });
 * ```
 */
export function believeAbout(value: unknown): FunctionAbout {
  if (typeof value !== "object" || value === null) return {};
  const { title, description, params, annotations, unusable } = value as Record<string, unknown>;
  const hints = believeAnnotations(annotations);
  return {
    ...typeof title === "string" ? { title: title.slice(0, MAX_TITLE) } : {},
    ...typeof description === "string"
      ? { description: description.slice(0, MAX_DESCRIPTION) }
      : {},
    ...typeof params === "string" && hasSchemaForm(params) ? { params } : {},
    ...hints === undefined ? {} : { annotations: hints },
    ...Array.isArray(unusable) && unusable.length > 0 ? { unusable: believeTexts(unusable) } : {},
  };
}

function believeTexts(list: readonly unknown[]): string[] {
  return list.slice(0, MAX_PATHS).filter((each) => typeof each === "string")
    .map((text) => text.slice(0, MAX_UNUSABLE));
}

function believeAnnotations(value: unknown): FunctionAbout["annotations"] {
  if (typeof value !== "object" || value === null) return undefined;
  const hints = ANNOTATIONS.map((name) => [name, (value as Record<string, unknown>)[name]] as const)
    .filter(([, hint]) => typeof hint === "boolean");
  return hints.length === 0 ? undefined : Object.fromEntries(hints);
}

/** Whether a text is an object of JSON that can be read and written again. */
function isSchemaText(text: string): boolean {
  return schemaIn(text) !== undefined;
}

/** Whether the members that the server itself reads are of the right type; the worker checks all. */
function hasSchemaForm(text: string): boolean {
  const schema = schemaIn(text);
  if (schema === undefined) return false;
  const { properties = {}, required = [] } = schema;
  return isObject(properties) && Array.isArray(required);
}

function schemaIn(text: string): Record<string, unknown> | undefined {
  if (text.length > MAX_SCHEMA) return undefined;
  try {
    const schema: unknown = JSON.parse(text);
    return isObject(schema) && isShallow(schema) ? schema : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a module exports about its function; `fault` when its schema cannot be used. */
export function aboutOf(
  module: Readonly<Record<string, unknown>>,
): { readonly about: FunctionAbout; readonly fault?: string } {
  const { title, description, params, annotations } = module;
  if (params === undefined) return { about: believeAbout({ title, description, annotations }) };
  let text: string | undefined;
  try {
    text = JSON.stringify(params);
  } catch {
    text = undefined;
  }
  if (text === undefined || !isSchemaText(text)) {
    return {
      about: {},
      fault: `is not an object of at most ${MAX_SCHEMA} characters and ${MAX_DEPTH} levels of JSON`,
    };
  }
  return { about: { ...believeAbout({ title, description, annotations }), params: text } };
}
