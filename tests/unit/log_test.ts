import assert from "node:assert/strict";
import { ConfigError } from "../../lib/errors.ts";
import { formatRecord, logSettingsFrom } from "../../lib/log.ts";

Deno.test("formatRecord() writes one line, whatever is in the record", () => {
  const record = {
    category: ["msp", "requests"],
    level: "warning" as const,
    message: ["From ", "a\n[2024-01-01 00:00:00,000][MSP] INFO forged: x\u2028\u0007", ""],
    rawMessage: "",
    timestamp: new Date(2024, 2, 30, 13, 20, 53, 7).getTime(),
    properties: {},
  };
  assert.equal(
    formatRecord(record),
    "[2024-03-30 13:20:53,007][MSP] WARNING requests: From " +
      "a\\u000a[2024-01-01 00:00:00,000][MSP] INFO forged: x\\u2028\\u0007\n",
  );
});

Deno.test("logSettingsFrom() reads the variables of the Python program and refuses other values", () => {
  assert.deepEqual(logSettingsFrom({}), { level: "info", maxFiles: 5 });
  const set = { MSP_LOGLEVEL: "CRITICAL", MSP_MAXLOGS: "0" };
  assert.deepEqual(logSettingsFrom(set), { level: "fatal", maxFiles: 0 });
  for (const MSP_LOGLEVEL of ["LOUD", "constructor", "__proto__", " INFO"]) {
    assert.throws(() => logSettingsFrom({ MSP_LOGLEVEL }), ConfigError);
  }
  for (const MSP_MAXLOGS of ["-1", "many", "1.5", "1000"]) {
    assert.throws(() => logSettingsFrom({ MSP_MAXLOGS }), ConfigError);
  }
});
