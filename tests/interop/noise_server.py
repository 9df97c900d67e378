"""A server of protocol v2 on dissononce that returns the params of a call. Used by the tests only.

noise_server.py PRIVATE_KEY (in base64). Prints its URL. A ticket is kept here, its number is all that the
client gets. Ends when its standard input ends.
"""
import base64
import hashlib
import json
import os
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from dissononce.cipher.chachapoly import ChaChaPolyCipher
from dissononce.dh.private import PrivateKey
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

PAIR = X25519DH().generate_keypair(PrivateKey(base64.b64decode(sys.argv[1])))
KEY_ID = hashlib.sha256(b"msp/2 key" + PAIR.public.data).digest()[:8]
SESSIONS = []


def welcome(hello):
    assert hello[1:9] == KEY_ID, "another server's key id"
    state = HandshakeState(SymmetricState(CipherState(ChaChaPolyCipher()), SHA256Hash()), X25519DH())
    state.initialize(IKHandshakePattern(), False, b"msp/2" + hello[:9], s=PAIR)
    state.read_message(hello[9:], bytearray())
    ticket = struct.pack(">I", len(SESSIONS))
    payload = struct.pack(">BIQH", 0, 3600, 0, len(ticket)) + ticket + b'{"maxBody":16384,"maxBatch":16}'
    message = bytearray()
    calls, answers = state.write_message(payload, message)
    SESSIONS.append((bytes(calls._key), bytes(answers._key)))
    return b"\x02" + bytes(message)


def answer(call):
    (length,) = struct.unpack(">H", call[1:3])
    end = 3 + length + 24
    k1, k2 = SESSIONS[struct.unpack(">I", call[3:3 + length])[0]]
    nonce = call[end - 24:end]
    request = json.loads(open_long(call[end:], call[:end], nonce, k1))
    response = {"jsonrpc": "2.0", "result": request.get("params"), "id": request["id"]}
    ours = os.urandom(24)
    return b"\x04" + ours + seal_long(json.dumps(response).encode(), b"\x04" + nonce + ours, ours, k2)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        result = welcome(body) if body[0] == 1 else answer(body)
        self.send_response(200)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("content-length", str(len(result)))
        self.end_headers()
        self.wfile.write(result)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", 0), Handler)
print(f"http://127.0.0.1:{server.server_port}/v2", flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
