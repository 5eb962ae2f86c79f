/* Writes by int 0x80, also from a 64-bit program, and closes what is not open. */
static char text[] = "by int 0x80\n";

static int call(int number, long first, long second, long third)
{
    int result;
#ifdef __x86_64__
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory", "r8", "r9", "r10", "r11");
#else
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third) : "memory");
#endif
    return result;
}

int main(void)
{
    call(4, 1, (long)text, sizeof text - 1);
    return -call(6, 99, 0, 0);
}
