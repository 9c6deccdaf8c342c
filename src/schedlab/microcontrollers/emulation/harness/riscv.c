/* riscv32 on QEMU's virt board: UART for output, a test device to exit, minstret for counting. */
#include <string.h>

#include "kernels.h"

#define UART (*(volatile uint8_t *)0x10000000)
#define TEST_DEVICE (*(volatile uint32_t *)0x100000)

extern uint32_t bss_start, bss_end;
int main(void);

#if CORES == 2
/* Not in .bss, which the first hart clears while the second already waits. */
__attribute__((section(".data"))) static uint32_t second_core_may_run = 0;
void machine_start_second_core(void) { __atomic_store_n(&second_core_may_run, 1, __ATOMIC_SEQ_CST); }
#endif

/* Every hart begins here, with its number in a0 and its own stack. */
__asm(".section .vectors, \"ax\"\n"
      ".globl _start\n"
      "_start:\n"
      "  la sp, stack_top\n"
      "  beqz a0, 1f\n"
      "  la sp, stack_top_second\n"
      "1: j hart_main\n"
      ".text\n");

__attribute__((used)) void hart_main(uint32_t hart) {
  if (hart == 0) {
    memset(&bss_start, 0, (size_t)((char *)&bss_end - (char *)&bss_start));
    main();
  }
#if CORES == 2
  while (!__atomic_load_n(&second_core_may_run, __ATOMIC_ACQUIRE)) {}
  second_core_main();
#endif
  for (;;) {}
}

void machine_start(void) {}

void machine_write(const char *text) {
  while (*text) UART = (uint8_t)*text++;
}

void machine_exit(void) {
  TEST_DEVICE = 0x5555;
  for (;;) {}
}

uint32_t machine_count(void) {
  uint32_t value;
  __asm volatile(".option push\n .option arch, +zicsr\n csrr %0, minstret\n .option pop"
                 : "=r"(value));
  return value;
}

uint32_t machine_elapsed(uint32_t from, uint32_t to) { return to - from; }

uint32_t machine_stack(void) {
  uint32_t pointer;
  __asm volatile("mv %0, sp" : "=r"(pointer));
  return pointer;
}
