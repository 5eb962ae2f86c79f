/* Puts known values into its registers and stays at one instruction. */
__asm__(".globl _start, stay, numbers\n"
        ".section .rodata\n"
        ".balign 32\n"
        "numbers: .quad 0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444\n"
        ".text\n"
        "_start:\n"
        "mov $0x0123456789abcdef, %rbx\n"
        "mov $0x55, %r12\n"
        "vmovups numbers(%rip), %ymm3\n"
        "movups numbers+16(%rip), %xmm5\n"
        "fld1\n"
        "fldpi\n"
        "stay: jmp stay\n");
