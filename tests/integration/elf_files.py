"""Modifies shared libraries for tests: as another linker, or another distribution, would build them."""

import os
import struct
import subprocess

from tango_servers import TANGO_TEST

R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT, R_X86_64_RELATIVE = 1, 6, 7, 8
PT_DYNAMIC, PT_GNU_RELRO = 2, 0x6474E552
DT_PLTRELSZ, DT_SYMTAB, DT_RELA, DT_RELASZ, DT_JMPREL = 2, 6, 7, 8, 23
DT_FLAGS, DT_FLAGS_1 = 30, 0x6FFFFFFB
STT_FUNC = 2


def libtango_path():
    """The file that TangoTest is linked to, and its name for the loader."""
    listing = subprocess.run(["ldd", TANGO_TEST], capture_output=True, text=True, check=True).stdout
    (line,) = [line for line in listing.splitlines() if "libtango.so" in line]
    return os.path.realpath(line.split("=>")[1].split("(")[0].strip()), line.split()[0]


def program_headers(image):
    """(offset of the header, type, offset of its content, its size) of each."""
    (headers,) = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    for header in range(headers, headers + size * count, size):
        (kind,) = struct.unpack_from("<I", image, header)
        offset, address = struct.unpack_from("<QQ", image, header + 8)
        (length,) = struct.unpack_from("<Q", image, header + 32)
        yield header, kind, offset, address, length


def dynamic_entries(image):
    """(offset of the entry, tag, value) of each."""
    for _, kind, offset, _, length in program_headers(image):
        if kind == PT_DYNAMIC:
            for entry in range(offset, offset + length, 16):
                yield (entry, *struct.unpack_from("<QQ", image, entry))


def bind_lazily(image):
    """A shared library as if linked without "-z now" and "-z relro"."""
    image = bytearray(image)
    for header, kind, _, _, _ in program_headers(image):
        if kind == PT_GNU_RELRO:
            struct.pack_into("<I", image, header, 0)
    for entry, tag, value in dynamic_entries(image):
        if tag == DT_FLAGS:
            struct.pack_into("<Q", image, entry + 8, value & ~8)
        elif tag == DT_FLAGS_1:
            struct.pack_into("<Q", image, entry + 8, value & ~1)
    return bytes(image)


def call_own_functions_directly(image):
    """A shared library as if linked with "-Bsymbolic-functions": references to its own functions are
    by address, not by name."""
    image = bytearray(image)
    entries = {tag: value for _, tag, value in dynamic_entries(image)}
    # The headers at the beginning are loaded at their file offsets, and so are these tables.
    changed = 0
    for table, size in ((DT_RELA, DT_RELASZ), (DT_JMPREL, DT_PLTRELSZ)):
        for rela in range(entries[table], entries[table] + entries[size], 24):
            _, info, addend = struct.unpack_from("<QQq", image, rela)
            kind, symbol = info & 0xFFFFFFFF, info >> 32
            if kind not in (R_X86_64_64, R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT) or not symbol:
                continue
            at = entries[DT_SYMTAB] + 24 * symbol
            _, how, _, section, value, _ = struct.unpack_from("<IBBHQQ", image, at)
            if section == 0 or how & 15 != STT_FUNC:
                continue
            struct.pack_into("<Qq", image, rela + 8, R_X86_64_RELATIVE, value + addend)
            changed += 1
    assert changed > 100
    return bytes(image)
