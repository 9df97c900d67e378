"""Calls a function of a Mini Share Point and prints its answer: client.py URL FUNCTION

Reads client.key, client.secret and server.pub in the working folder. Needs PyNaCl.
"""

import base64
import json
import sys
import time
import urllib.error
import urllib.request
import zlib

from nacl.encoding import Base64Encoder
from nacl.public import Box, PrivateKey, PublicKey


def read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read().strip()


def number(value: int) -> bytes:
    """Unsigned, big-endian, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def call(url: str, function: str) -> str:
    box = Box(
        PrivateKey(read("client.key"), encoder=Base64Encoder),
        PublicKey(read("server.pub"), encoder=Base64Encoder),
    )
    secret = read("client.secret")
    values = {
        "id": secret,
        "check": number(zlib.crc32(secret)),
        "ts": number(int(time.time())),
        "entry": function.encode(),
    }
    # encrypt() takes a fresh random nonce for each value, and puts it in front.
    sealed = {
        name: base64.urlsafe_b64encode(box.encrypt(value)).decode() for name, value in values.items()
    }
    request = urllib.request.Request(
        url, json.dumps(sealed).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)["value"]
    return box.decrypt(base64.urlsafe_b64decode(answer)).decode()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: client.py URL FUNCTION")
    try:
        print(call(sys.argv[1], sys.argv[2]))
    except urllib.error.HTTPError as error:
        sys.exit(f"refused: status {error.code}")
