"""A client of protocol v2 on dissononce: hello, one call, its answer. Used by the tests only.

noise_client.py URL SERVER_KEY PRIVATE_KEY REQUEST (keys in base64, the request as JSON)
"""
import base64
import hashlib
import json
import os
import struct
import sys
import urllib.request

from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.private import PrivateKey
from dissononce.dh.x25519.public import PublicKey
from dissononce.dh.x25519.x25519 import X25519DH
from dissononce.hash.sha256 import SHA256Hash
from dissononce.processing.handshakepatterns.interactive.IK import IKHandshakePattern
from dissononce.processing.impl.cipherstate import CipherState
from dissononce.processing.impl.handshakestate import HandshakeState
from dissononce.processing.impl.symmetricstate import SymmetricState
from nacl.bindings import (
    crypto_aead_xchacha20poly1305_ietf_decrypt as open_long,
    crypto_aead_xchacha20poly1305_ietf_encrypt as seal_long,
)


def post(url, body):
    headers = {"content-type": "application/octet-stream"}
    request = urllib.request.Request(url, data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=20) as response:
        return response.read()


def main(url, server_key, private_key, text):
    server = base64.b64decode(server_key)
    pair = X25519DH().generate_keypair(PrivateKey(base64.b64decode(private_key)))
    key_id = hashlib.sha256(b"msp/2 key" + server).digest()[:8]
    state = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), SHA256Hash()), X25519DH())
    prologue = b"msp/2\x01" + key_id
    state.initialize(IKHandshakePattern(), True, prologue, s=pair, rs=PublicKey(server))
    first = bytearray()
    state.write_message(b"", first)
    welcome = post(url, b"\x01" + key_id + bytes(first))
    assert welcome[:1] == b"\x02", "no welcome"
    payload = bytearray()
    seal_state, open_state = state.read_message(welcome[1:], payload)
    status, lifetime, _, length = struct.unpack(">BIQH", bytes(payload[:15]))
    assert status == 0 and lifetime > 0
    ticket = bytes(payload[15:15 + length])
    assert json.loads(bytes(payload[15 + length:]))["maxBatch"] == 16
    k1, k2 = bytes(seal_state._key), bytes(open_state._key)

    plain = text.encode()
    plain += b" " * (-len(plain) % 64)
    nonce = struct.pack(">I", 7) + os.urandom(20)
    head = b"\x03" + struct.pack(">H", len(ticket)) + ticket + nonce
    answer = post(url, head + seal_long(plain, head, nonce, k1))
    assert answer[:1] == b"\x04", "no answer"
    theirs = answer[1:25]
    print(open_long(answer[25:], b"\x04" + nonce + theirs, theirs, k2).decode().strip())


main(*sys.argv[1:])
