"""WASI calls that we answer ourselves, because the runtime's own cannot serve a node.

- ``proc_exit``: wasmtime refuses codes from 126; a task may end with any.
- ``poll_oneoff``: wasmtime sleeps where nothing can wake it; a cancelled task must end at once.

All else of WASI preview 1 is wasmtime's. Host functions here never raise: wasmtime-py keeps the
last exception of a host function in a variable that all threads share.
"""

from __future__ import annotations

import struct
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import wasmtime

from bacalhau.lib.wasm import new_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.ports import Clock

WASI = "wasi_snapshot_preview1"

# `proc_exit` must not return to the module: it notes the code with us and then traps. `monotonic`
# tells where the module's own clock stands, so that absolute times can be understood.
_SHIM = """
(module
  (import "host" "exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "clock_time_get"
    (func $clock_time_get (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proc_exit") (param $code i32)
    (call $exit (local.get $code))
    unreachable)
  (func (export "monotonic") (result i64)
    (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 0)))
    (i64.load (i32.const 0))))
"""
SHIM_BINARY: bytes = bytes(wasmtime.wat2wasm(_SHIM))

_SUCCESS, _EFAULT, _EINTR, _EINVAL, _ENOTSUP = 0, 21, 27, 28, 58
_SUBSCRIPTION_BYTES, _EVENT_BYTES = 48, 32
_CLOCK, _FD_READ, _FD_WRITE = 0, 1, 2
_REALTIME, _MONOTONIC = 0, 1
_MAX_SUBSCRIPTIONS = 4096


@dataclass(frozen=True, slots=True)
class _Subscription:
    userdata: int
    kind: int
    clock: int
    timeout_ns: int
    is_absolute: bool


class HostCalls:
    """The calls of one task.

    Attributes:
        exit_code: The argument of ``proc_exit``, 0 to 2**32 - 1, or None while it was not called.
    """

    def __init__(self, clock: Clock, cancelled: threading.Event) -> None:
        self.exit_code: int | None = None
        self._clock = clock
        self._cancelled = cancelled
        self._monotonic_offset_ns = 0

    def define(self, linker: wasmtime.Linker, store: wasmtime.Store) -> None:
        """Replace the two calls in a linker that has wasmtime's WASI."""
        i32 = wasmtime.ValType.i32()
        linker.define_func("host", "exit", wasmtime.FuncType([i32], []), self._exit)
        with wasmtime.Module.deserialize(linker.engine, _shim_code()) as module:
            shim = linker.instantiate(store, module).exports(store)
        monotonic = shim["monotonic"]
        assert isinstance(monotonic, wasmtime.Func), monotonic
        module_clock_ns = monotonic(store)
        self._monotonic_offset_ns = int(self._clock.monotonic() * 1e9) - module_clock_ns
        linker.allow_shadowing = True
        linker.define(store, WASI, "proc_exit", shim["proc_exit"])
        linker.define_func(
            WASI,
            "poll_oneoff",
            wasmtime.FuncType([i32] * 4, [i32]),
            self._poll_oneoff,
            access_caller=True,
        )
        linker.allow_shadowing = False

    def _exit(self, code: int) -> None:
        self.exit_code = code & 0xFFFFFFFF

    def _poll_oneoff(
        self, caller: wasmtime.Caller, subscriptions: int, events: int, count: int, written: int
    ) -> int:
        memory = caller.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            return _EINVAL
        subscriptions, events = subscriptions & 0xFFFFFFFF, events & 0xFFFFFFFF
        count, written = count & 0xFFFFFFFF, written & 0xFFFFFFFF
        if not 0 < count <= _MAX_SUBSCRIPTIONS:
            return _EINVAL
        end = max(
            subscriptions + count * _SUBSCRIPTION_BYTES, events + count * _EVENT_BYTES, written + 4
        )
        if end > memory.data_len(caller):
            return _EFAULT
        raw = memory.read(caller, subscriptions, subscriptions + count * _SUBSCRIPTION_BYTES)
        errno, answers = self._wait(list(_decode(bytes(raw))))
        memory.write(caller, answers, events)
        memory.write(caller, struct.pack("<I", len(answers) // _EVENT_BYTES), written)
        return errno

    def _wait(self, wanted: list[_Subscription]) -> tuple[int, bytes]:
        """Wait for the first of some events; return an errno and the encoded events.

        Files are always ready, as for ``poll`` in POSIX.
        """
        if any(each.kind == _CLOCK and each.clock > _MONOTONIC for each in wanted):
            return _ENOTSUP, b""
        if any(each.kind > _FD_WRITE for each in wanted):
            return _EINVAL, b""
        files = [each for each in wanted if each.kind != _CLOCK]
        if files:
            return _SUCCESS, b"".join(map(_event, files))
        start = self._clock.monotonic()
        ends = [start + self._remaining_seconds(each) for each in wanted]
        first = min(ends)
        if self._cancelled.wait(min(max(first - start, 0.0), threading.TIMEOUT_MAX)):
            return _EINTR, b""
        now = max(first, self._clock.monotonic())
        ready = (each for each, end in zip(wanted, ends, strict=True) if end <= now)
        return _SUCCESS, b"".join(map(_event, ready))

    def _remaining_seconds(self, subscription: _Subscription) -> float:
        if not subscription.is_absolute:
            return subscription.timeout_ns / 1e9
        if subscription.clock == _REALTIME:
            return (subscription.timeout_ns - self._clock.now_ns()) / 1e9
        now_ns = int(self._clock.monotonic() * 1e9) - self._monotonic_offset_ns
        return (subscription.timeout_ns - now_ns) / 1e9


@cache
def _shim_code() -> bytes:
    """Compile the shim once for all engines: that takes longer than a small task."""
    with new_engine() as engine, wasmtime.Module(engine, SHIM_BINARY) as module:
        return bytes(module.serialize())


def _decode(raw: bytes) -> Iterator[_Subscription]:
    for userdata, kind, clock, timeout_ns, flags in struct.iter_unpack("<QB7xI4xQ8xH6x", raw):
        yield _Subscription(userdata, kind, clock, timeout_ns, bool(flags & 1))


def _event(subscription: _Subscription) -> bytes:
    is_file = subscription.kind != _CLOCK
    return struct.pack("<QHB5xQH6x", subscription.userdata, 0, subscription.kind, int(is_file), 0)
