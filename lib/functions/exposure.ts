/**
 * @module
 * What a function could read beyond its grants: `import()` is not checked against permissions in an
 * executable (docs/modules.md), so there it is whatever the user of its process can read.
 */

/** Which files of the user an import can show. */
export type Exposure = "none" | "code" | "any file";

/**
 * What imports can show. From Deno 2.8 on, any file can be imported as text.
 *
 * @example
 * ```ts
 * import assert from "node:assert/strict";
 * assert.equal(importExposure({ isStandalone: false, version: "2.9.6" }), "none");
 * assert.equal(importExposure({ isStandalone: true, version: "2.4.2" }), "code");
 * assert.equal(importExposure({ isStandalone: true, version: "2.9.6" }), "any file");
 * assert.equal(importExposure({ isStandalone: true, version: "3.0.0" }), "any file");
 * ```
 */
export function importExposure(
  { isStandalone, version }: { isStandalone: boolean; version: string } = {
    isStandalone: Deno.build.standalone,
    version: Deno.version.deno,
  },
): Exposure {
  if (!isStandalone) return "none";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 2 || minor >= 8 ? "any file" : "code";
}

/** The same in words, and what to do; `undefined` where there is nothing to say. */
export function describeExposure(
  exposure: Exposure = importExposure(),
): { readonly what: string; readonly remedy: string } | undefined {
  if (exposure === "none") return undefined;
  const files = exposure === "code"
    ? "files of that user which are code or JSON"
    : "every file of that user, server.key too";
  return {
    what: `functions run as the server's user: what they import can be ${files}`,
    remedy: "run only modules that you trust, or start the server as root with " +
      "--functions-user 65534:65534 (the container does)",
  };
}
