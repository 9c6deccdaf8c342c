/* Cortex-M on QEMU's mps2 boards: semihosting for output and exit, SysTick for counting. */
#include <string.h>

#include "kernels.h"

#define REGISTER(address) (*(volatile uint32_t *)(address))
#define SYSTICK_CONTROL REGISTER(0xE000E010)
#define SYSTICK_RELOAD REGISTER(0xE000E014)
#define SYSTICK_VALUE REGISTER(0xE000E018)
#define COPROCESSORS REGISTER(0xE000ED88)
#define SECOND_CORE_VECTORS REGISTER(0x50021114) /* of the SSE-200's system control block */
#define SECOND_CORE_WAIT REGISTER(0x50021118)

extern uint32_t stack_top, stack_top_second, bss_start, bss_end;
int main(void);

static void reset(void) {
#ifdef __ARM_FP
  COPROCESSORS |= 0xF << 20; /* else the first float instruction faults */
  __asm volatile("dsb\n isb");
#endif
  memset(&bss_start, 0, (size_t)((char *)&bss_end - (char *)&bss_start));
  main();
}

static void fault(void) {
  machine_write("E fault\n");
  machine_exit();
}

#define VECTORS(top, entry) \
  {(void *)(top), (void *)(entry), fault, fault, fault, fault, fault, fault}

__attribute__((section(".vectors"), used)) static void *const vectors[16] =
    VECTORS(&stack_top, reset);

#if CORES == 2
__attribute__((section(".vectors.second"), aligned(128), used)) static void *const second[16] =
    VECTORS(&stack_top_second, second_core_main);

void machine_start_second_core(void) {
  SECOND_CORE_VECTORS = (uint32_t)second;
  SECOND_CORE_WAIT = 0;
}
#endif

static int semihosting(int operation, const void *argument) {
  register int r0 __asm("r0") = operation;
  register const void *r1 __asm("r1") = argument;
  __asm volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

void machine_start(void) {
  SYSTICK_RELOAD = 0xFFFFFF;
  SYSTICK_VALUE = 0;
  SYSTICK_CONTROL = 5; /* on, from the processor's clock, no interrupt */
}

void machine_write(const char *text) { semihosting(0x04, text); }

void machine_exit(void) {
  semihosting(0x18, (const void *)0x20026); /* the application has ended */
  for (;;) {}
}

uint32_t machine_count(void) { return SYSTICK_VALUE; }

/* SysTick counts down. With -icount shift=7 an instruction lasts 128 ns. */
uint32_t machine_elapsed(uint32_t from, uint32_t to) {
  uint32_t ticks = (from - to) & 0xFFFFFF;
  return (uint32_t)(((uint64_t)ticks * TICK_NS + 64) / 128);
}

uint32_t machine_stack(void) {
  uint32_t pointer;
  __asm volatile("mov %0, sp" : "=r"(pointer));
  return pointer;
}
