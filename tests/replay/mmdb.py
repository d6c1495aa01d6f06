"""Writes small databases in MaxMind's format: a binary tree of nodes over the addresses' bits, records behind it, a description at the end."""
import ipaddress
import struct


def encode(value):
    """A value as the format has it: a control byte (type, size), more size for long texts, then the bytes. Numbers are 32 bits wide;
    a tuple (bytes, number) says otherwise."""
    if isinstance(value, dict):
        return bytes([7 << 5 | len(value)]) + b"".join(encode(key) + encode(item) for key, item in value.items())
    if isinstance(value, list):
        return bytes([len(value), 11 - 7]) + b"".join(map(encode, value))
    if isinstance(value, (str, bytes)):
        text = value if isinstance(value, bytes) else value.encode()
        head = bytes([2 << 5 | len(text)]) if len(text) < 29 else bytes([2 << 5 | 29, len(text) - 29])
        return head + text
    width, number = value if isinstance(value, tuple) else (4, value)
    head = {2: bytes([5 << 5 | 2]), 4: bytes([6 << 5 | 4]), 8: bytes([8, 9 - 7])}[width]
    return head + number.to_bytes(width, "big")


def write(path, networks, kind="Test-ASN", tree=None):
    """`networks`: prefix -> record. The tree is IPv6's; IPv4 lives in ::/96. `tree`: nodes to write instead of the right ones."""
    nodes, data, offsets = [[None, None]], b"", []
    for prefix, record in networks.items():
        network = ipaddress.ip_network(prefix)
        bits = f"{int(network.network_address):0128b}"
        depth = network.prefixlen + (96 if network.version == 4 else 0)
        node = 0
        for bit in map(int, bits[:depth - 1]):
            if nodes[node][bit] is None:
                nodes.append([None, None])
                nodes[node][bit] = len(nodes) - 1
            node = nodes[node][bit]
        offsets.append(len(data))
        nodes[node][int(bits[depth - 1])] = ("record", len(offsets) - 1)
        data += encode(record)
    nodes = tree or nodes

    def pointer(branch):
        if branch is None:
            return len(nodes)
        return len(nodes) + 16 + offsets[branch[1]] if isinstance(branch, tuple) else branch

    about = {"node_count": len(nodes), "record_size": (2, 32), "ip_version": (2, 6), "binary_format_major_version": (2, 2),
             "binary_format_minor_version": (2, 0), "build_epoch": (8, 1), "database_type": kind, "languages": [], "description": {}}
    search = b"".join(struct.pack(">II", pointer(left), pointer(right)) for left, right in nodes)
    path.write_bytes(search + bytes(16) + data + b"\xab\xcd\xefMaxMind.com" + encode(about))
    return path


def autonomous_system(number, organisation):
    return {"autonomous_system_number": number, "autonomous_system_organization": organisation}
