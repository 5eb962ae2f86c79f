"""A debugger's client without a protocol: the verbs that the tests of the live target use."""

from __future__ import annotations

import os

from unharmed_support import until

from gdbstub import Tracer
from gdbstub.target.live.target import LiveTarget
from gdbstub.target.values import (
    EVERY_THREAD,
    BreakpointKind,
    BreakpointRequest,
    BreakpointStop,
    ResumeAction,
    ResumeKind,
    Stop,
    ThreadId,
)

_RED_ZONE = 128


class Debugger:
    """A live target that is told what to do, and whose stops are waited for."""

    def __init__(self, tracer: Tracer) -> None:
        self.tracer = tracer
        self.target = LiveTarget(tracer)
        self._announced = 0
        self.target.on_stop = self._announce

    def _announce(self) -> None:
        self._announced += 1

    def resume(
        self, thread: ThreadId | None = None, signal: int = 0, kind: ResumeKind = ResumeKind.CONTINUE
    ) -> None:
        """Resume one thread with a signal, and everything else without; or (None) everything."""
        everything = ResumeAction(ResumeKind.CONTINUE, EVERY_THREAD)
        if thread is None:
            self.target.resume([everything])
            return
        pattern = EVERY_THREAD._replace(pid=thread.pid, tid=thread.tid)
        self.target.resume([ResumeAction(kind, pattern, signal), everything])

    def stop(self) -> Stop:
        """Wait for the next stop."""
        until(lambda: self._announced > 0, self.tracer)
        self._announced = 0
        stop = self.target.take_stop()
        assert stop is not None
        return stop

    def interrupt(self) -> Stop:
        """Stop everything, as an interrupt character does."""
        self.target.interrupt()
        return self.stop()

    def breakpoint(self, pid: int, address: int) -> BreakpointRequest:
        """Insert a breakpoint."""
        request = BreakpointRequest(BreakpointKind.SOFTWARE, address, 1)
        self.target.insert_breakpoint(pid, request)
        return request

    def call(self, thread: ThreadId, function: int, argument: int, returns_to: int) -> int:
        """Call a function of the stopped program as gdb does; its result. All is as before after it."""
        before = self.target.read_registers(thread)
        registers = self.target.thread(thread).task.registers
        stack = (registers.sp - _RED_ZONE) // 16 * 16 - 8
        saved = self.target.read_memory(thread.pid, stack, 8)
        self.target.write_memory(thread.pid, stack, returns_to.to_bytes(8, "little"))
        registers.sp, registers.pc = stack, function
        registers["rdi"], registers["orig_rax"] = argument, -1
        request = self.breakpoint(thread.pid, returns_to)
        self.resume(thread)
        stop = self.stop()
        assert stop == BreakpointStop(thread, False, returns_to)
        result = self.target.thread(thread).task.registers["rax"]
        self.target.remove_breakpoint(thread.pid, request)
        self.target.write_registers(thread, before)
        self.target.write_memory(thread.pid, stack, saved)
        return result


def descriptors() -> set[int]:
    """Our own open descriptors."""
    return {int(name) for name in os.listdir("/proc/self/fd")}
