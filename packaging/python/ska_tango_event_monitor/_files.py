"""The lines of a file, compressed or not. For :mod:`.recordings` only."""

from __future__ import annotations

import importlib
import io
import lzma
import os
import subprocess
import tempfile
import threading
import zlib
from typing import IO, Any, Iterator, Optional, Tuple

#: As in the monitor: the longest line that begins with a brace, and the longest other one, in bytes.
_LINE_MAX = 4 << 30
_OTHER_MAX = 64 << 20
_PIECE = 1 << 16
#: In bytes: as much as "zstd --long=31" needs.
_MEMORY_MAX = 1 << 31
#: How much of a block is kept, to find all that can be read of a damaged one: more than a poll takes.
_KEPT_MAX = 1 << 20
_MARK = b"\xef\xbb\xbf"

WHOLE, CUT_OFF, DAMAGED, TOO_LARGE = range(4)


class _Input:
    """The bytes of a file; some of the first ones may be looked at first."""

    def __init__(self, file: Any):
        self.file = file
        self.ahead = b""

    def peek(self, size: int) -> bytes:
        while len(self.ahead) < size:
            piece = self._more()
            if not piece:
                break
            self.ahead += piece
        return self.ahead[:size]

    def read(self) -> bytes:
        piece, self.ahead = self.ahead, b""
        return piece or self._more()

    def _more(self) -> bytes:
        # read1() returns what there is, of a pipe; a plain object may have only read().
        read = getattr(self.file, "read1", None) or self.file.read
        return read(_PIECE) or b""


class _Stream(io.RawIOBase):
    """Decompressed bytes, with how it ended."""

    def __init__(self, source: _Input):
        super().__init__()
        self.source = source
        self.state = WHOLE
        self.left = b""  # of a piece that isn't given out yet

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self.left:
            self.left = self._piece()
        size = min(len(buffer), len(self.left))
        buffer[:size] = self.left[:size]
        self.left = self.left[size:]
        return size

    def _piece(self) -> bytes:
        return self.source.read()


class _Damaged(Exception):
    """It can't be decompressed; whether for lack of memory."""


class _Blocks(_Stream):
    """gzip members, xz streams or zstd frames, one after the other."""

    padding = b"\0"  # what may follow a block

    def __init__(self, source: _Input):
        super().__init__(source)
        self.decompressor: Any = None
        self.input = b""
        self.kept: Optional[bytearray] = None  # what the block was fed with so far; None: too much
        self.given = 0  # how many bytes came of it

    def _piece(self) -> bytes:
        while self.state in (WHOLE, CUT_OFF):
            if not self.input and not (self.decompressor and self._has_output()):
                self.input = self.source.read()
                if not self.input:
                    return b""
            if not self.decompressor and not self._begin():
                continue
            if self.kept is not None:
                self.kept += self.input
                if len(self.kept) > _KEPT_MAX:
                    self.kept = None
            try:
                piece = self._run()
            except (_Damaged, MemoryError) as error:
                self.state = TOO_LARGE if "emory" in repr(error) else DAMAGED
                return self._rest()
            self.given += len(piece)
            if self.decompressor.eof:
                self.input = self.decompressor.unused_data
                self.decompressor = None
                self.state = WHOLE
            if piece:
                return piece
        return b""

    def _begin(self) -> bool:
        """Padding after the last block is skipped."""
        self.input = self.input.lstrip(self.padding)
        if self.input:
            self.decompressor = self._new()
            self.kept, self.given = bytearray(), 0
            self.state = CUT_OFF
        return bool(self.input)

    def _rest(self) -> bytes:
        """What comes before the damage: Python's decompressors keep none of what they had when they failed."""
        data = bytes(self.kept or b"")
        self.decompressor = self._new()
        rest = b""
        given = self.given
        try:
            for place in range(len(data)):
                self.input = data[place : place + 1]
                more = True
                while more:
                    piece = self._run()
                    rest += piece[given:]
                    given = max(given - len(piece), 0)
                    self.input = b""
                    more = self._has_output()
        except (_Damaged, MemoryError):
            pass
        return rest

    def _has_output(self) -> bool:
        """Whether there may be more without more input."""
        return not self.decompressor.needs_input

    def _new(self) -> Any:
        raise NotImplementedError

    def _run(self) -> bytes:
        """Hands over self.input; returns at most a piece."""
        raise NotImplementedError


class _Gzip(_Blocks):
    full = False

    def _new(self) -> Any:
        self.full = False
        return zlib.decompressobj(wbits=31)

    def _has_output(self) -> bool:
        return self.full

    def _run(self) -> bytes:
        try:
            piece: bytes = self.decompressor.decompress(self.input, _PIECE)
        except zlib.error as error:
            raise _Damaged(error) from None
        self.input = self.decompressor.unconsumed_tail
        self.full = len(piece) == _PIECE
        return piece


class _Xz(_Blocks):
    def _new(self) -> Any:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY_MAX)

    def _run(self) -> bytes:
        try:
            piece: bytes = self.decompressor.decompress(self.input, _PIECE)
        except (lzma.LZMAError, EOFError) as error:
            raise _Damaged(error) from None
        self.input = b""
        return piece


def _zstd_module() -> Any:
    """Python's own from 3.14 on, or its backport; None: there is none."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None


class _Zstd(_Blocks):
    """By Python's own module."""

    padding = b""

    def __init__(self, source: _Input, module: Any):
        super().__init__(source)
        self.module = module

    def _new(self) -> Any:
        most = self.module.DecompressionParameter.window_log_max
        return self.module.ZstdDecompressor(options={most: 31})

    def _rest(self) -> bytes:
        """Nothing: a block comes out before the frame's checksum is seen, so what would come may be wrong."""
        return b""

    def _run(self) -> bytes:
        try:
            piece: bytes = self.decompressor.decompress(self.input, _PIECE)
        except (self.module.ZstdError, EOFError) as error:
            raise _Damaged(error) from None
        self.input = b""
        return piece


class _Child(_Stream):
    """By a program: its standard input is the file, its standard output the bytes."""

    def __init__(self, source: _Input, argv: Any):
        super().__init__(source)
        self.said = tempfile.TemporaryFile()
        try:
            self.child = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said, close_fds=True
            )
        except OSError:  # there is no such program: nothing of it has to be closed
            self.said.close()
            super().close()
            raise
        self.feeder = threading.Thread(target=self._feed, daemon=True)
        self.feeder.start()

    def _feed(self) -> None:
        assert self.child.stdin
        try:
            while True:
                piece = self.source.read()
                if not piece:
                    break
                self.child.stdin.write(piece)
            self.child.stdin.close()
        except (OSError, ValueError):  # it has ended, or the file was closed
            self.child.kill()

    def _piece(self) -> bytes:
        assert self.child.stdout
        piece = os.read(self.child.stdout.fileno(), _PIECE)
        if not piece:
            self.child.wait()
            self.said.seek(0)
            said = self.said.read(_PIECE)
            if b"premature" in said or b"cut off" in said:  # by zstd; by our own
                self.state = CUT_OFF
            elif self.child.returncode != 0:
                self.state = TOO_LARGE if b"emory" in said else DAMAGED
        return piece

    def close(self) -> None:
        if not self.closed:
            if self.child.poll() is None:
                self.child.kill()
            self.child.wait()
            if self.child.stdout:
                self.child.stdout.close()
            self.feeder.join(1)
            self.said.close()
        super().close()


def _zstd_programs() -> Iterator[Tuple[str, ...]]:
    """The usual one, and ours, which is in the wheel: it reads compressed recordings, too."""
    yield ("zstd", "-dcq", "--long=31")
    from . import program_path  # pylint: disable=import-outside-toplevel

    try:
        yield (program_path(), "--read", "-", "-q", "-o", "-")
    except FileNotFoundError:
        yield ("ska-tango-event-monitor", "--read", "-", "-q", "-o", "-")


def _zstd(source: _Input) -> _Stream:
    module = _zstd_module()
    if module:
        return _Zstd(source, module)
    for argv in _zstd_programs():
        try:
            return _Child(source, argv)
        except FileNotFoundError:
            continue
    raise RuntimeError("zstd can't be decompressed: install the program zstd, or Python 3.14, or backports.zstd")


def _stream(source: _Input) -> _Stream:
    """By the first bytes of the file; a skippable frame, with which pzstd begins, is zstd's."""
    magic = source.peek(6)
    if magic[:2] == b"\x1f\x8b":
        return _Gzip(source)
    if magic == b"\xfd7zXZ\0":
        return _Xz(source)
    if magic[:4] == b"\x28\xb5\x2f\xfd" or (magic[1:4] == b"\x2a\x4d\x18" and magic[0] & 0xF0 == 0x50):
        return _zstd(source)
    return _Stream(source)


class Lines:
    """Iterates over (number, line without its line feed, whether that is missing, whether it is too long)."""

    def __init__(self, file: Any, closes: bool):
        self.file = file
        self.closes = closes
        self.number = 0
        self.stream: Optional[_Stream] = None
        self.buffer: Optional[io.BufferedReader] = None
        self.partial = False

    def __enter__(self) -> "Lines":
        self.stream = _stream(_Input(self.file))
        self.buffer = io.BufferedReader(self.stream, 4 * _PIECE)
        return self

    def __exit__(self, *_: object) -> None:
        if self.buffer:
            self.buffer.close()
        if self.closes:
            self.file.close()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> Tuple[int, bytes, bool, bool]:
        assert self.buffer
        line = self.buffer.readline(_OTHER_MAX + 1)
        if not line:
            raise StopIteration
        self.number += 1
        too_long = False
        if len(line) > _OTHER_MAX and not line.endswith(b"\n"):
            line, too_long = self._rest(line)
        self.partial = not line.endswith(b"\n")
        if too_long:
            return self.number, b"", self.partial, True
        line = line[:-1] if not self.partial else line
        return self.number, line[3:] if line.startswith(_MARK) else line, self.partial, False

    def _rest(self, line: bytes) -> Tuple[bytes, bool]:
        """Of a line that is very long; what is too long isn't kept."""
        assert self.buffer
        parts, size = [line], len(line)
        may_be_longer = line[:1] in (b"{", _MARK[:1])
        while not line.endswith(b"\n"):
            line = self.buffer.readline(_OTHER_MAX)
            if not line:
                break
            size += len(line)
            if may_be_longer and size <= _LINE_MAX:
                parts.append(line)
            else:
                may_be_longer, parts = False, [line]
        return b"".join(parts), not may_be_longer

    def is_cut_off(self) -> bool:
        """Whether the file ends in the middle of a compressed block."""
        return self.stream is not None and self.stream.state == CUT_OFF

    def problem(self, line_is_told: bool) -> str:
        """How it ended, if something is missing; "" if all was there, or if that was told of its last line."""
        state = self.stream.state if self.stream else WHOLE
        if state == CUT_OFF and line_is_told:
            return ""
        return {
            WHOLE: "",
            CUT_OFF: f"cut off after line {self.number}",
            DAMAGED: f"damaged after line {self.number}",
            TOO_LARGE: f"the data after line {self.number} takes too much memory to be decompressed",
        }[state]


def open_lines(source: Any) -> Lines:
    """Opens a path ("-" is standard input), or takes an open binary file, which is not closed."""
    if not isinstance(source, (str, bytes, os.PathLike)):
        return Lines(source, False)
    is_input = os.fsdecode(source) == "-"
    # Not sys.stdin itself: a thread may still be waiting for it when Python ends.
    file: IO[bytes] = open(0 if is_input else source, "rb", buffering=0, closefd=not is_input)
    return Lines(file, not is_input)
