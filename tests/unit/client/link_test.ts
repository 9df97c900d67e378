import assert from "node:assert/strict";
import { formatLink, LinkError, parseLink, serverAddress } from "../../../client/link.ts";
import { randomBytes } from "../../../client/primitives.ts";

const KEY = "A".repeat(43), TOKEN = "B".repeat(21) + "A";
const LINK = `https://home.example/join#1.${KEY}.${TOKEN}`;

Deno.test("parseLink() reads what formatLink() writes", () => {
  for (const url of ["https://home.example", "http://192.168.1.5:8000", "https://a.example/b/c"]) {
    const link = { url, serverKey: randomBytes(32), token: randomBytes(16) };
    assert.deepEqual(parseLink(` ${formatLink(link)}\n`), link);
    assert.deepEqual(formatLink({ ...link, url: `${url}/` }), formatLink(link));
  }
});

Deno.test("parseLink() refuses everything else, without saying what it was", () => {
  const cases: readonly (readonly [why: string, text: string])[] = [
    ["nothing", ""],
    ["no fragment", "https://home.example/join"],
    ["another path", LINK.replace("/join", "/v2")],
    ["a version that is not known", LINK.replace("#1.", "#2.")],
    ["no version", LINK.replace("#1.", "#")],
    ["a longer version", LINK.replace("#1.", "#01.")],
    ["a key that is cut", LINK.replace(KEY, KEY.slice(1))],
    ["a token that is cut", LINK.slice(0, -1)],
    ["a longer token", `${LINK}A`],
    ["bits that no byte has", LINK.slice(0, -1) + "B"],
    ["another alphabet", LINK.replace("BBB", "B+B")],
    ["padding", `${LINK}==`],
    ["a third part", `${LINK}.A`],
    ["another scheme", LINK.replace("https:", "ftp:")],
    ["a password", LINK.replace("home", "u:p@home")],
    ["a query", LINK.replace("/join", "/join?x=1")],
    ["a space", LINK.replace(".", ". ")],
  ];
  for (const [why, text] of cases) {
    assert.throws(() => parseLink(text), (error: Error) => {
      assert.ok(error instanceof LinkError, `${why}: ${error}`);
      assert.ok(!error.message.includes("BBB"), why);
      return true;
    }, why);
  }
});

Deno.test("serverAddress() gives one form", () => {
  assert.equal(serverAddress("HTTPS://Home.Example:443/"), "https://home.example");
  assert.equal(serverAddress("http://[::1]:8000/a/"), "http://[::1]:8000/a");
  for (const text of ["", "home", "https://h/?", "https://h/#", "https://u@h", "file:///x"]) {
    assert.throws(() => serverAddress(text), LinkError, text);
  }
});
