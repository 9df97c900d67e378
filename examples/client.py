#!/usr/bin/env python3
"""Calls a function of a Mini Share Point server by protocol v2: client.py PROFILE FUNCTION [PARAMS]

PROFILE is a file that `msp join` or `msp profile add` wrote, PARAMS a JSON object. Needs PyNaCl
(Debian: python3-nacl). docs/protocol-v2.md explains every step.
"""
import base64
import hashlib
import hmac
import http.client
import json
import os
import struct
import sys
import urllib.request

try:
    from nacl import bindings as sodium
    from nacl.exceptions import CryptoError
except ImportError:
    sys.exit("client.py: PyNaCl is missing: pip install pynacl (Debian: apt install python3-nacl)")

NOT_RUN = {-32700, -32600, -32601, -32602, -32000}


class CallFailed(Exception):
    def __init__(self, message: str, executed: str):
        super().__init__(f"{message} (executed: {executed})")


class Noise:
    """The client's side of Noise_IK_25519_ChaChaPoly_SHA256 (noiseprotocol.org, revision 34)."""

    def __init__(self, prologue: bytes, private: bytes, server: bytes):
        self.hash = self.chain = b"Noise_IK_25519_ChaChaPoly_SHA256"
        self.private, self.server, self.ephemeral = private, server, os.urandom(32)
        self.mix_hash(prologue)
        self.mix_hash(server)

    def mix_hash(self, data: bytes) -> None:
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_key(self, secret: bytes) -> bytes:
        temporary = hmac.digest(self.chain, secret, "sha256")
        self.chain = hmac.digest(temporary, b"\1", "sha256")
        self.key = hmac.digest(temporary, self.chain + b"\2", "sha256")
        return self.key

    def seal(self, plain: bytes) -> bytes:  # one message for each key, so the nonce is 0
        sealed = sodium.crypto_aead_chacha20poly1305_ietf_encrypt(plain, self.hash, bytes(12), self.key)
        self.mix_hash(sealed)
        return sealed

    def hello(self) -> bytes:
        public = sodium.crypto_scalarmult_base(self.ephemeral)
        self.mix_hash(public)
        self.mix_key(sodium.crypto_scalarmult(self.ephemeral, self.server))
        own = self.seal(sodium.crypto_scalarmult_base(self.private))
        self.mix_key(sodium.crypto_scalarmult(self.private, self.server))
        return public + own + self.seal(b"")

    def welcome(self, answer: bytes) -> tuple:
        """The payload, the key that seals calls, and the key that seals answers."""
        self.mix_hash(answer[:32])
        for private in (self.ephemeral, self.private):
            self.mix_key(sodium.crypto_scalarmult(private, answer[:32]))
        payload = sodium.crypto_aead_chacha20poly1305_ietf_decrypt(
            answer[32:], self.hash, bytes(12), self.key)
        answers = self.mix_key(b"")
        return payload, self.chain, answers


def post(url: str, body: bytes, executed: str) -> bytes:
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/octet-stream"})
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.read()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CallFailed(f"no answer from the server: {error}", executed) from None


def call(profile: dict, function: str, params: dict):
    url = profile["url"]
    server, private = (base64.b64decode(profile[name]) for name in ("serverKey", "privateKey"))
    head = b"\1" + hashlib.sha256(b"msp/2 key" + server).digest()[:8]
    noise = Noise(b"msp/2" + head, private, server)
    answer = post(url, head + noise.hello(), "no")
    try:
        payload, calls, answers = noise.welcome(answer[1:])
        status, _lifetime, _time, length = struct.unpack(">BIQH", payload[:15])
    except (CryptoError, RuntimeError, ValueError, struct.error):
        raise CallFailed("the answer does not open with the server's key", "no") from None
    if status != 0:
        raise CallFailed(f"the server refused this client, with status {status}", "no")
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": function, "params": params}).encode()
    nonce = struct.pack(">I", 0) + os.urandom(20)  # each number is for one call of this ticket
    head = struct.pack(">BH", 3, length) + payload[15:15 + length] + nonce
    answer = post(url, head + sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        text + b" " * (-len(text) % 64), head, nonce, calls), "maybe")
    try:
        response = json.loads(sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
            answer[25:], b"\4" + nonce + answer[1:25], answer[1:25], answers))
    except (CryptoError, ValueError):
        raise CallFailed("the answer does not open with the keys of the session", "maybe") from None
    if "error" not in response:
        return response["result"]
    error = response["error"]
    ran = "no" if error["code"] in NOT_RUN else (error.get("data") or {}).get("executed", "yes")
    raise CallFailed(f"{function}: {error['message']}", ran)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: client.py PROFILE FUNCTION [PARAMS]")
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            result = call(json.load(file), sys.argv[2], json.loads("".join(sys.argv[3:]) or "{}"))
    except (CallFailed, OSError) as failure:
        sys.exit(f"client.py: {failure}")
    except (KeyError, TypeError, ValueError) as failure:
        sys.exit(f"client.py: cannot use the profile or the arguments: {type(failure).__name__}")
    print(result if isinstance(result, str) else json.dumps(result, ensure_ascii=False))
