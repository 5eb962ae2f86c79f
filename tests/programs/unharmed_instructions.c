/* One small function for each kind of instruction, labelled at_NAME, and what comes of it.
 *
 * A fault is told with its signal, si_code, si_addr and program counter, the latter two relative to the label
 * where they are near it. SIGUSR1 is told if its handler interrupts anything but the program's own code. An
 * argument names the only case to run.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define CASES(_) \
    _(call_relative) _(call_register) _(call_memory) _(call_stack) _(call_stack_indexed) _(call_far) \
    _(jump_short) _(jump_near) _(jump_register) _(jump_memory) _(branch_taken) _(branch_not_taken) \
    _(branch_near) _(load) _(store) _(compare_immediate) _(address) _(push_register) _(push_memory) \
    _(push_stack_pointer) _(pop_register) _(pop_stack_pointer) _(push_flags) _(pop_flags) _(plain_return) \
    _(return_immediate) _(leave_frame) _(enter_frame) _(system_call) _(move_string) _(compare_string) \
    _(loop_taken) _(loop_not_taken) _(jrcxz_taken) _(jrcxz_not_taken) _(locked) _(thread_local) _(vector) \
    _(identify) _(one_byte) _(own_int3) _(own_int_3) _(load_fault) _(store_fault) _(load_noncanonical) \
    _(divide_by_zero) _(undefined) _(privileged) _(misaligned) _(jump_astray) _(call_astray) \
    _(return_astray) _(call_memory_fault) _(call_push_fault) _(push_fault) _(move_string_fault) \
    _(load_fault_repaired)

#define DECLARE(name) extern long case_##name(long *memory, long argument); extern char at_##name[];
CASES(DECLARE)

#define BEGIN(name) ".globl case_" #name "\n.globl at_" #name "\n.type case_" #name ", @function\ncase_" #name ":\n"

__asm__(
    ".data\n.balign 16\n"
    "value: .quad 0x1122334455667788, 0x99aabbccddeeff00\n"
    "pointer: .quad callee\n"
    "jump_pointer: .quad landing\n"
    "far_pointer: .long far_callee\n.word 0x33\n"
    ".text\n.balign 4096\n"
    /* Tells the caller's return address and how far the stack has moved. */
    "callee: mov (%rsp), %rax\nret\n"
    "far_callee: mov (%rsp), %eax\nlretl\n"
    "landing: mov $77, %eax\nret\n"
    BEGIN(call_relative) "at_call_relative: call callee\nlea at_call_relative(%rip), %rdx\nsub %rdx, %rax\nret\n"
    BEGIN(call_register) "lea callee(%rip), %r11\nat_call_register: call *%r11\nlea at_call_register(%rip), %rdx\n"
    "sub %rdx, %rax\nret\n"
    BEGIN(call_memory) "at_call_memory: call *pointer(%rip)\nlea at_call_memory(%rip), %rdx\nsub %rdx, %rax\nret\n"
    BEGIN(call_stack) "push pointer(%rip)\nat_call_stack: call *(%rsp)\npop %rdx\nlea at_call_stack(%rip), %rdx\n"
    "sub %rdx, %rax\nret\n"
    BEGIN(call_stack_indexed) "push pointer(%rip)\npush $0\nmov $-1, %rcx\n"
    "at_call_stack_indexed: call *16(%rsp,%rcx,8)\nadd $16, %rsp\nlea at_call_stack_indexed(%rip), %rdx\n"
    "sub %rdx, %rax\nret\n"
    BEGIN(call_far) "at_call_far: lcall *far_pointer(%rip)\nlea at_call_far(%rip), %rdx\nsub %rdx, %rax\nret\n"
    BEGIN(jump_short) "at_jump_short: jmp 1f\nxor %eax, %eax\nret\n1: mov $3, %eax\nret\n"
    BEGIN(jump_near) "at_jump_near: jmp landing\nret\n.skip 200, 0x90\n"
    BEGIN(jump_register) "lea landing(%rip), %rdx\nat_jump_register: jmp *%rdx\n"
    BEGIN(jump_memory) "at_jump_memory: jmp *jump_pointer(%rip)\n"
    BEGIN(branch_taken) "xor %eax, %eax\nat_branch_taken: jz 1f\ninc %eax\n1: ret\n"
    BEGIN(branch_not_taken) "xor %eax, %eax\nat_branch_not_taken: jnz 1f\ninc %eax\n1: ret\n"
    BEGIN(branch_near) "xor %eax, %eax\nat_branch_near: jz 1f\nret\n.skip 300, 0x90\n1: mov $9, %eax\nret\n"
    BEGIN(load) "at_load: mov value(%rip), %rax\nret\n"
    BEGIN(store) "lea value(%rip), %rcx\nmov (%rcx), %rax\nat_store: mov %rsi, value(%rip)\nmov (%rcx), %rdx\n"
    "mov %rax, (%rcx)\nmov %rdx, %rax\nret\n"
    BEGIN(compare_immediate) "xor %eax, %eax\nat_compare_immediate: cmpl $0x55667788, value(%rip)\nsete %al\nret\n"
    BEGIN(address) "at_address: lea value(%rip), %rax\nmov $value, %edx\nsub %rdx, %rax\nret\n"
    BEGIN(push_register) "at_push_register: push %rsi\npop %rax\nret\n"
    BEGIN(push_memory) "at_push_memory: push value(%rip)\npop %rax\nret\n"
    BEGIN(push_stack_pointer) "at_push_stack_pointer: push %rsp\npop %rax\nsub %rsp, %rax\nret\n"
    BEGIN(pop_register) "push %rsi\nat_pop_register: pop %rax\nret\n"
    BEGIN(pop_stack_pointer) "mov %rsp, %rdx\npush %rsp\nat_pop_stack_pointer: pop %rsp\nmov %rsp, %rax\n"
    "sub %rdx, %rax\nret\n"
    BEGIN(push_flags) "xor %eax, %eax\nat_push_flags: pushf\npop %rax\nret\n"
    BEGIN(pop_flags) "pushf\norl $1, (%rsp)\nat_pop_flags: popf\nsetc %al\nmovzx %al, %eax\nret\n"
    BEGIN(plain_return) "mov $4, %eax\nat_plain_return: ret\n"
    BEGIN(return_immediate) "push $1\npush $2\ncall 1f\nmov %rsp, %rax\npop %rcx\npop %rdx\nlea -16(%rsp), %rdx\n"
    "sub %rdx, %rax\nret\n1: add $0, %rax\nmov (%rsp), %rcx\nmov %rcx, 8(%rsp)\nadd $8, %rsp\n"
    "sub $16, %rsp\nmov %rcx, (%rsp)\nat_return_immediate: ret $8\n"
    BEGIN(leave_frame) "push %rbp\nmov %rsp, %rbp\nsub $64, %rsp\nat_leave_frame: leave\nmov %rsp, %rax\n"
    "and $15, %rax\nret\n"
    BEGIN(enter_frame) "mov %rsp, %rax\nat_enter_frame: enter $32, $0\nsub %rsp, %rax\nleave\nret\n"
    BEGIN(system_call) "mov $39, %eax\nat_system_call: syscall\nlea at_system_call(%rip), %rdx\nsub %rdx, %rcx\n"
    "mov %rax, 8(%rdi)\nmov %rcx, %rax\nret\n"
    BEGIN(move_string) "mov %rdi, %rsi\nlea 256(%rdi), %rdi\nmov $256, %ecx\nat_move_string: rep movsb\n"
    "lea (%rcx,%rdi), %rax\nsub %rsi, %rax\nret\n"
    BEGIN(compare_string) "mov %rdi, %rsi\nmov $64, %ecx\nat_compare_string: repe cmpsb\nmov %ecx, %eax\nret\n"
    BEGIN(loop_taken) "xor %eax, %eax\nmov $5, %ecx\n1: add %ecx, %eax\nat_loop_taken: loop 1b\nret\n"
    BEGIN(loop_not_taken) "xor %eax, %eax\nmov $1, %ecx\nat_loop_not_taken: loop 1f\ninc %eax\n1: ret\n"
    BEGIN(jrcxz_taken) "xor %eax, %eax\nxor %ecx, %ecx\nat_jrcxz_taken: jrcxz 1f\ninc %eax\n1: ret\n"
    BEGIN(jrcxz_not_taken) "xor %eax, %eax\nmov $1, %ecx\nat_jrcxz_not_taken: jrcxz 1f\ninc %eax\n1: ret\n"
    BEGIN(locked) "mov (%rdi), %rax\nmov %rax, %rdx\nat_locked: lock cmpxchg %rsi, (%rdi)\nmov (%rdi), %rax\n"
    "mov %rdx, (%rdi)\nret\n"
    BEGIN(thread_local) "at_thread_local: mov %fs:0, %rax\nsub %fs:16, %rax\nret\n"
    BEGIN(vector) "at_vector: movaps value(%rip), %xmm0\nmovhlps %xmm0, %xmm0\nmovq %xmm0, %rax\nret\n"
    BEGIN(identify) "push %rbx\nxor %eax, %eax\nxor %ecx, %ecx\nat_identify: cpuid\nmov %ebx, %eax\npop %rbx\nret\n"
    BEGIN(one_byte) "mov $6, %eax\nat_one_byte: nop\nret\n"
    BEGIN(own_int3) "at_own_int3: int3\nmov $1, %eax\nret\n"
    BEGIN(own_int_3) "at_own_int_3: .byte 0xcd, 3\nmov $1, %eax\nret\n"
    BEGIN(load_fault) "mov $0x1234, %eax\nat_load_fault: mov (%rax), %rax\nret\n"
    BEGIN(store_fault) "lea at_store_fault(%rip), %rax\nat_store_fault: mov %rsi, 7(%rax)\nret\n"
    BEGIN(load_noncanonical) "mov $0x8000000000000000, %rax\nat_load_noncanonical: mov (%rax), %rax\nret\n"
    BEGIN(divide_by_zero) "xor %ecx, %ecx\nat_divide_by_zero: div %ecx\nret\n"
    BEGIN(undefined) "at_undefined: ud2\nret\n"
    BEGIN(privileged) "at_privileged: hlt\nret\n"
    BEGIN(misaligned) "at_misaligned: movaps 1(%rdi), %xmm0\nret\n"
    BEGIN(jump_astray) "mov $0x1000, %eax\nat_jump_astray: jmp *%rax\n"
    BEGIN(call_astray) "mov $0x1000, %eax\nat_call_astray: call *%rax\nret\n"
    BEGIN(return_astray) "push $0x1000\nat_return_astray: ret\n"
    BEGIN(call_memory_fault) "mov $0x1000, %eax\nat_call_memory_fault: call *8(%rax)\nret\n"
    BEGIN(call_push_fault) "mov $0x2000, %esp\nat_call_push_fault: call callee\nret\n"
    BEGIN(push_fault) "mov $0x2000, %esp\nat_push_fault: push %rax\nret\n"
    BEGIN(move_string_fault) "mov $0x1000, %esi\nmov $9, %ecx\nat_move_string_fault: rep movsb\nret\n"
    BEGIN(load_fault_repaired) "xor %eax, %eax\nat_load_fault_repaired: mov 8(%rax), %rax\nret\n"
);

static const struct { const char *name; long (*run)(long *, long); char *at; } cases[] = {
#define ENTRY(name) {#name, case_##name, at_##name},
    CASES(ENTRY)
};
extern char __executable_start[], etext[];
static int current;
volatile int interruptions;
static long memory[128], stack_before;
static sigjmp_buf back;

static const char *place(char text[32], uintptr_t address)
{
    intptr_t offset = address - (uintptr_t)cases[current].at;

    if (offset >= -32 && offset <= 32)
        sprintf(text, "at%+ld", (long)offset);
    else
        sprintf(text, "%#lx", (unsigned long)address);
    return text;
}

static void fault(int number, siginfo_t *info, void *context)
{
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    char address[32], pc[32];
    long stack = stack_before - registers[REG_RSP];

    printf("signal %d code %d address %s pc %s stack %ld rax %lld count %lld trap %lld error %lld\n", number,
           info->si_code, place(address, (uintptr_t)info->si_addr), place(pc, registers[REG_RIP]),
           stack > 0 && stack < 256 ? stack : -1, registers[REG_RAX], registers[REG_RCX] < 4096 ? registers[REG_RCX] : -1,
           registers[REG_TRAPNO], registers[REG_ERR]);
    if (strstr(cases[current].name, "repaired")) {
        registers[REG_RAX] = (greg_t)memory;
        return;
    }
    siglongjmp(back, 1);
}

static void caught(int number, siginfo_t *info, void *context)
{
    uintptr_t pc = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];

    interruptions++;
    if (pc < (uintptr_t)__executable_start || pc >= (uintptr_t)etext)
        printf("interrupted at %#lx ", (unsigned long)pc);
}

int main(int count, char **arguments)
{
    static char other_stack[65536];
    stack_t stack = {.ss_sp = other_stack, .ss_size = sizeof other_stack};
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    struct sigaction signalled = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};

    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &signalled, NULL);
    for (int i = 0; i < 5; i++)
        sigaction(signals[i], &action, NULL);
    for (current = 0; current < (int)(sizeof cases / sizeof *cases); current++) {
        if (count > 1 && strcmp(arguments[1], cases[current].name))
            continue;
        for (int i = 0; i < 128; i++)
            memory[i] = 0x0101010101010101 * i;
        printf("%s: ", cases[current].name);
        __asm__ volatile("mov %%rsp, %0" : "=r"(stack_before));
        if (!sigsetjmp(back, 1)) {
            unsigned long sum = 0;
            long result = cases[current].run(memory, 42);
            if (!strcmp(cases[current].name, "system_call")) {
                memory[1] = memory[1] == getpid();
            }
            for (int i = 0; i < 128; i++)
                sum = sum * 31 + memory[i];
            printf("%#lx, memory %#lx\n", result, sum);
        }
    }
    if (interruptions)
        printf("%d interruptions\n", interruptions);
    return 0;
}
