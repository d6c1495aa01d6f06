"""QUIC v1 packets for the cases that no packaged server or client can be made to show (RFC 9000 17, RFC 9001 5).

Initials are protected with the real keys; Handshake and 1-RTT packets are opaque to whoever watches, so their bodies
are random. `hello()` is a TLS 1.3 ClientHello with a QUIC transport parameters extension.
"""
import os
import struct

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

SALT = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
V1 = 1


def varint(value):
    if value < 64:
        return bytes([value])
    return struct.pack(">H", value | 0x4000) if value < 16384 else struct.pack(">I", value | 0x80000000)


def _expand(secret, label, length):
    label = b"tls13 " + label
    info = struct.pack(">HB", length, len(label)) + label + b"\0"
    return HKDFExpand(hashes.SHA256(), length, info).derive(secret)


def _keys(first_dcid, from_server):
    extract = hmac.HMAC(SALT, hashes.SHA256())
    extract.update(first_dcid)
    secret = _expand(extract.finalize(), b"server in" if from_server else b"client in", 32)
    return _expand(secret, b"quic key", 16), _expand(secret, b"quic iv", 12), _expand(secret, b"quic hp", 16)


def _long(kind, version, dcid, scid):
    return bytes([0xc0 | kind << 4]) + struct.pack(">I", version) + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid


def initial(frames, dcid, scid, first_dcid, number=0, from_server=False, token=b"", pad_to=1200, version=V1):
    key, iv, hp = _keys(first_dcid, from_server)
    head = _long(0, version, dcid, scid) + varint(len(token)) + token
    overhead = len(head) + 2 + 4 + 16
    frames += bytes(max(0, pad_to - overhead - len(frames)))
    head = bytes([head[0] | 3]) + head[1:] + struct.pack(">H", (4 + len(frames) + 16) | 0x4000)
    plain = head + struct.pack(">I", number)
    nonce = bytes(a ^ b for a, b in zip(iv, number.to_bytes(12, "big")))
    sealed = AESGCM(key).encrypt(nonce, frames, plain)
    mask = Cipher(algorithms.AES(hp), modes.ECB()).encryptor().update(sealed[:16])
    hidden = bytes(a ^ b for a, b in zip(plain[-4:], mask[1:5]))
    return bytes([plain[0] ^ (mask[0] & 0x0f)]) + head[1:] + hidden + sealed


def handshake(dcid, scid, length=400):
    return _long(2, V1, dcid, scid) + varint(length) + os.urandom(length)


def short(dcid, length):
    return bytes([0x40 | os.urandom(1)[0] & 0x3f]) + dcid + os.urandom(length)


def retry(dcid, scid, token):
    return _long(3, V1, dcid, scid) + token + os.urandom(16)


def negotiation(dcid, scid, versions=(V1,)):
    return bytes([0xc0]) + bytes(4) + bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid + b"".join(
        struct.pack(">I", version) for version in versions)


def ids(packet):
    """Version, destination and source id of a long header."""
    dcid_end = 6 + packet[5]
    scid_end = dcid_end + 1 + packet[dcid_end]
    return struct.unpack(">I", packet[1:5])[0], packet[6:dcid_end], packet[dcid_end + 1:scid_end]


def crypto(data, offset=0):
    return b"\x06" + varint(offset) + varint(len(data)) + data


def close(code):
    return b"\x1c" + varint(code) + varint(0) + varint(0)


def extension(kind, body):
    return struct.pack(">HH", kind, len(body)) + body


def hello(host, extra=b"", quic=True, alpn=b"h3"):
    """A ClientHello message; `extra` extensions come before the name."""
    name = host.encode()
    sni = extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)
    share = os.urandom(32)
    extensions = extra + sni + extension(43, b"\x02\x03\x04") + extension(10, b"\x00\x02\x00\x1d") + \
        extension(13, b"\x00\x04\x04\x03\x08\x04") + extension(51, struct.pack(">HHH", 36, 0x1d, 32) + share) + \
        extension(16, struct.pack(">HB", len(alpn) + 1, len(alpn)) + alpn) + (extension(57, b"\x0f\x00") if quic else b"")
    body = b"\x03\x03" + os.urandom(32) + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00" + struct.pack(">H", len(extensions)) + extensions
    return b"\x01" + len(body).to_bytes(3, "big") + body
