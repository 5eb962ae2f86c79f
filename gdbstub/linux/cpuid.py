"""What the processor says of itself: CPUID and XGETBV, run from a page of machine code."""

from __future__ import annotations

import ctypes
import mmap
from functools import lru_cache

from gdbstub.arch.x86.xsave import XsaveLayout, layout_from_cpuid
from gdbstub.linux.libc import quick, raise_errno

CPUID_CODE = bytes.fromhex(
    "53"  # push rbx
    "4989d0"  # mov r8, rdx
    "89f8"  # mov eax, edi
    "89f1"  # mov ecx, esi
    "0fa2"  # cpuid
    "418900"  # mov [r8], eax
    "41895804"  # mov [r8+4], ebx
    "41894808"  # mov [r8+8], ecx
    "4189500c"  # mov [r8+12], edx
    "5b"  # pop rbx
    "c3"  # ret
)
"""void cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])"""
XGETBV_CODE = bytes.fromhex(
    "31c9"  # xor ecx, ecx
    "0f01d0"  # xgetbv
    "48c1e220"  # shl rdx, 32
    "4809d0"  # or rax, rdx
    "c3"  # ret
)
"""uint64_t xgetbv0(void)"""

_OSXSAVE = 1 << 27

_mmap = quick.mmap
_mmap.restype = ctypes.c_void_p
_mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_mprotect = quick.mprotect
_mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


@lru_cache(maxsize=1)
def _code_page() -> int:
    page: int | None = _mmap(
        None, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0
    )
    if page is None or page == ctypes.c_void_p(-1).value:
        raise raise_errno("mmap")
    code = CPUID_CODE + XGETBV_CODE
    ctypes.memmove(page, code, len(code))
    if _mprotect(page, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC) < 0:
        raise raise_errno("mprotect to executable")
    return page


def cpuid(leaf: int, subleaf: int = 0) -> tuple[int, int, int, int]:
    """eax, ebx, ecx and edx of one CPUID leaf. Raises OSError where no executable page is to be had."""
    out = (ctypes.c_uint32 * 4)()
    function = ctypes.CFUNCTYPE(None, ctypes.c_uint32, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32))
    function(_code_page())(leaf, subleaf, out)
    return out[0], out[1], out[2], out[3]


def xgetbv() -> int:
    """XCR0: the state components that the kernel has enabled. 0 where it has enabled XSAVE for none."""
    if not cpuid(1)[2] & _OSXSAVE:
        return 0
    function = ctypes.CFUNCTYPE(ctypes.c_uint64)
    return int(function(_code_page() + len(CPUID_CODE))())


@lru_cache(maxsize=1)
def xsave_layout() -> XsaveLayout | None:
    """Where this machine's processor keeps each extended state component."""
    return layout_from_cpuid(cpuid, xgetbv())
