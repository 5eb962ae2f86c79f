/* Writes what xmm5 and rbx hold at the label `here`, in hexadecimal, low half first. */
#include <stdint.h>
#include <stdio.h>

int main(void)
{
    uint64_t vector[2] = {1, 2}, general;
    __asm__ volatile("movups %0, %%xmm5\n"
                     "xor %%rbx, %%rbx\n"
                     ".globl here\n"
                     "here: movups %%xmm5, %0\n"
                     "mov %%rbx, %1\n"
                     : "+m"(vector), "=m"(general)
                     :
                     : "xmm5", "rbx");
    printf("%lx %lx %lx\n", vector[0], vector[1], general);
    return 0;
}
