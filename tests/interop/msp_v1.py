"""Protocol v1 on PyNaCl, written from docs/protocol.md for the interop tests.

    msp_v1.py call URL FUNCTION FOLDER        a client: prints the decrypted answer
    msp_v1.py serve FOLDER                    a server of one request: prints its port, then what it got
    msp_v1.py make-store FOLDER COUNT         a key store as the original lays it out
    msp_v1.py check-store FOLDER              reads a key store, prints "PUBLIC-KEYS SECRETS"

Exit code 1 when something does not hold.
"""

import base64
import glob
import http.server
import json
import os
import secrets
import sys
import time
import zlib

import nacl.encoding
import nacl.public
import nacl.utils
import requests


def first_line(path: str) -> str:
    """A client's key as the original reads it: one line, whatever follows."""
    with open(path, encoding="ascii") as file:
        return file.readline()


def read(*parts: str) -> str:
    with open(os.path.join(*parts), encoding="ascii") as file:
        return file.read()


def write(text: str, *parts: str) -> None:
    with open(os.path.join(*parts), "w", encoding="ascii") as file:
        file.write(text)


def key(kind: type, text: str):
    return kind(text.encode(), encoder=nacl.encoding.Base64Encoder)


def integer(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def call(url: str, function: str, folder: str) -> None:
    private_key = key(nacl.public.PrivateKey, read(folder, "client.key"))
    server_key = key(nacl.public.PublicKey, read(folder, "server.pub"))
    secret = read(folder, "client.secret").encode()
    box = nacl.public.Box(private_key, server_key)
    plain = {
        "id": secret,
        "check": integer(zlib.crc32(secret)),
        "ts": integer(int(time.time())),
        "entry": function.encode(),
    }
    sealed = {
        name: base64.urlsafe_b64encode(box.encrypt(value)).decode() for name, value in plain.items()
    }
    response = requests.post(url, json=sealed, timeout=10)
    if response.status_code != 200:
        sys.exit(f"status {response.status_code}")
    value = response.json()["value"]
    # Strict, as the original's client: padding must be there.
    sys.stdout.write(box.decrypt(base64.urlsafe_b64decode(value)).decode())


def serve(folder: str) -> None:
    private_key = key(nacl.public.PrivateKey, read(folder, "sec", "server.key"))
    client_key = key(nacl.public.PublicKey, first_line(os.path.join(folder, "sec", "client_1.pub")))
    box = nacl.public.Box(private_key, client_key)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            members = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            plain = {
                name: box.decrypt(base64.urlsafe_b64decode(members[name]))
                for name in ("id", "check", "ts", "entry")
            }
            nonces = {base64.urlsafe_b64decode(value)[:24] for value in members.values()}
            holds = {
                "path": self.path == "/v1",
                "type": self.headers["Content-Type"] == "application/json",
                "members": sorted(members) == ["check", "entry", "id", "ts"],
                "padding": all(len(value) % 4 == 0 for value in members.values()),
                "nonces": len(nonces) == 4,
                "id": plain["id"].decode() in read(folder, "sec", "clients.dev").split(),
                "check": plain["check"] == integer(zlib.crc32(plain["id"])),
                "ts": plain["ts"] == integer(int.from_bytes(plain["ts"], "big"))
                and abs(int.from_bytes(plain["ts"], "big") - time.time()) < 10,
                "entry": plain["entry"] == "zeit_prüfung".encode(),
            }
            print(json.dumps([name for name, is_so in holds.items() if not is_so]), flush=True)
            answer = box.encrypt("grüße\n\taus Python".encode())
            body = json.dumps({"value": base64.urlsafe_b64encode(answer).decode()}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.timeout = 20
    print(server.server_port, flush=True)
    server.handle_request()


def make_store(folder: str, count: int) -> None:
    sec = os.path.join(folder, "sec")
    os.makedirs(sec)
    encoder = nacl.encoding.Base64Encoder
    server = nacl.public.PrivateKey.generate()
    write(server.encode(encoder).decode(), sec, "server.key")
    write(server.public_key.encode(encoder).decode(), sec, "server.pub")
    register = []
    for number in range(1, count + 1):
        client = nacl.public.PrivateKey.generate()
        secret = secrets.token_hex(64)
        register.append(secret)
        home = os.path.join(folder, f"home{number}")
        os.makedirs(home)
        write(client.encode(encoder).decode(), home, "client.key")
        write(secret, home, "client.secret")
        write(server.public_key.encode(encoder).decode(), home, "server.pub")
        write(client.public_key.encode(encoder).decode(), sec, f"client_{number}.pub")
    write("".join(f"{secret}\n" for secret in register), sec, "clients.dev")
    for path in glob.glob(os.path.join(sec, "*")):
        os.chmod(path, 0o644)


def check_store(folder: str) -> None:
    sec = os.path.join(folder, "sec")
    private_key = key(nacl.public.PrivateKey, read(sec, "server.key"))
    if private_key.public_key != key(nacl.public.PublicKey, read(sec, "server.pub")):
        sys.exit("server.pub is not the public key of server.key")
    public_keys = {
        bytes(key(nacl.public.PublicKey, first_line(path))) for path in glob.glob(os.path.join(sec, "client_*"))
    }
    register = read(sec, "clients.dev").splitlines()
    if any(len(bytes.fromhex(secret)) != 64 for secret in register):
        sys.exit("a secret is not 64 bytes")
    print(len(public_keys), len(set(register)))


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "call":
        call(*arguments)
    elif command == "serve":
        serve(*arguments)
    elif command == "make-store":
        make_store(arguments[0], int(arguments[1]))
    else:
        check_store(*arguments)
