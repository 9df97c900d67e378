/**
 * @module
 * What a module says of itself, for callers: `title`, `description`, `params` (a JSON Schema) and
 * `annotations`, the form of an MCP tool. Read in the worker, and checked again wherever it crosses a
 * border: a worker is as trustworthy as its module.
 */

/** Hints about what a call does (Model Context Protocol, tool annotations). */
export const ANNOTATIONS = ["readOnlyHint", "destructiveHint", "idempotentHint"] as const;

/** What a module says of its function. */
export interface FunctionAbout {
  readonly title?: string;
  readonly description?: string;
  /** JSON text of a JSON Schema; without one, every object is accepted. */
  readonly params?: string;
  readonly annotations?: Readonly<Partial<Record<typeof ANNOTATIONS[number], boolean>>>;
}

/** Characters of each text, beyond which it is cut. */
const MAX_TITLE = 200;
const MAX_DESCRIPTION = 4000;
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
  const { title, description, params, annotations } = value as Record<string, unknown>;
  const hints = believeAnnotations(annotations);
  return {
    ...typeof title === "string" ? { title: title.slice(0, MAX_TITLE) } : {},
    ...typeof description === "string"
      ? { description: description.slice(0, MAX_DESCRIPTION) }
      : {},
    ...typeof params === "string" && isSchemaText(params) ? { params } : {},
    ...hints === undefined ? {} : { annotations: hints },
  };
}

function believeAnnotations(value: unknown): FunctionAbout["annotations"] {
  if (typeof value !== "object" || value === null) return undefined;
  const hints = ANNOTATIONS.map((name) => [name, (value as Record<string, unknown>)[name]] as const)
    .filter(([, hint]) => typeof hint === "boolean");
  return hints.length === 0 ? undefined : Object.fromEntries(hints);
}

function isSchemaText(text: string): boolean {
  if (text.length > MAX_SCHEMA) return false;
  try {
    const schema: unknown = JSON.parse(text);
    return typeof schema === "object" && schema !== null && !Array.isArray(schema);
  } catch {
    return false;
  }
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
    return { about: {}, fault: `is not an object of at most ${MAX_SCHEMA} characters of JSON` };
  }
  return { about: believeAbout({ title, description, annotations, params: text }) };
}
