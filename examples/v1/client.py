"""Calls a function of a Mini Share Point server and prints its answer: client.py URL FUNCTION

Reads client.key, client.secret and server.pub in the working folder. Needs PyNaCl.
"""

import base64
import http.client
import json
import sys
import time
import urllib.error
import urllib.request
import zlib

try:
    from nacl.encoding import Base64Encoder
    from nacl.exceptions import CryptoError
    from nacl.public import Box, PrivateKey, PublicKey
except ImportError:
    sys.exit("client.py: PyNaCl is missing: pip install pynacl (Debian: apt install python3-nacl)")

NONCE_BYTES = 24


class CallFailed(Exception):
    """The reason for which the call failed."""


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect turns a POST into a GET; the server itself never redirects."""

    def redirect_request(self, *_):
        return None


def read(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            return file.read().strip()
    except OSError as error:
        raise CallFailed(f"cannot read {name}: {error.strerror}") from None


def read_key(name: str, kind):
    try:
        return kind(read(name), encoder=Base64Encoder)
    except (TypeError, ValueError):
        raise CallFailed(f"cannot use {name}: expected 44 base64 characters") from None


def number(value: int) -> bytes:
    """Unsigned, big-endian, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def post(url: str, body: bytes) -> bytes:
    try:
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.build_opener(NoRedirects).open(request, timeout=30) as response:
            return response.read()
    except urllib.error.HTTPError as error:
        raise CallFailed(f"refused: status {error.code}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise CallFailed(f"cannot reach the server: {getattr(error, 'reason', error)}") from None


def open_answer(box: Box, body: bytes, sent: dict) -> str:
    try:
        sealed = base64.urlsafe_b64decode(json.loads(body)["value"])
        # Box keys are symmetric: without this check, somebody in between could return one of the
        # request's own values, such as the secret, as the answer.
        if sealed[:NONCE_BYTES] in [value[:NONCE_BYTES] for value in sent.values()]:
            raise CallFailed("the answer is one of the request's own values")
        return box.decrypt(sealed).decode()
    except (KeyError, TypeError, ValueError, CryptoError):
        raise CallFailed("the answer does not open under these keys") from None


def call(url: str, function: str) -> str:
    box = Box(read_key("client.key", PrivateKey), read_key("server.pub", PublicKey))
    secret = read("client.secret")
    values = {
        "id": secret,
        "check": number(zlib.crc32(secret)),
        "ts": number(int(time.time())),
        "entry": function.encode(),
    }
    # encrypt() takes a fresh random nonce for each value, and puts it in front.
    sealed = {name: box.encrypt(value) for name, value in values.items()}
    body = {name: base64.urlsafe_b64encode(value).decode() for name, value in sealed.items()}
    return open_answer(box, post(url, json.dumps(body).encode()), sealed)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: client.py URL FUNCTION", file=sys.stderr)
        sys.exit(2)
    try:
        print(call(sys.argv[1], sys.argv[2]))
    except CallFailed as error:
        sys.exit(f"client.py: {error}")
