/* Twenty-four instructions, each with its label; exits 0. */
__asm__(".globl _start, i0, i1, i2, i3, i4, i5\n"
        "_start:\n"
        "i0: mov $10, %ecx\n"
        "i1: dec %ecx\n"
        "i2: jnz i1\n"
        "i3: mov $60, %eax\n"
        "i4: xor %edi, %edi\n"
        "i5: syscall\n");
