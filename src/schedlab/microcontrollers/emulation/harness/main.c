/* Runs a compiled model without an operating system.
   CORES=1: one inference, and for every workgroup its instructions and stack.
   CORES=2: all inferences with a greedy queue, the outputs compared with the expected ones. */
#include <string.h>

#include "kernels.h"

#define PAINT 0xA5
#define PAINTED 8192

static environment_t environment;
static const library_t *library;

static void write_number(uint32_t value) {
  char text[12];
  char *at = text + sizeof text - 1;
  *at = 0;
  do {
    *--at = (char)('0' + value % 10);
    value /= 10;
  } while (value);
  machine_write(" ");
  machine_write(at);
}

static void run_workgroup(const command_t *command, uint32_t index, uint32_t core) {
  const dispatch_t *d = command->dispatch;
  workgroup_t group = {
      .x = index % d->count_x,
      .y = index / d->count_x % d->count_y,
      .z = (uint16_t)(index / d->count_x / d->count_y),
      .processor_id = core,
  };
  if (library->exports[command->kernel](&environment, d, &group)) {
    machine_write("E kernel failed\n");
    machine_exit();
  }
}

static void run_transfer(const command_t *command) {
  if (command->kind == COPY) {
    memcpy(command->target, command->source, command->length);
  } else if (command->pattern_size == 1) {
    memset(command->target, command->source[0], command->length);
  } else {
    for (uint32_t i = 0; i < command->length; i++)
      command->target[i] = command->source[i % command->pattern_size];
  }
}

static uint32_t workgroups_of(const command_t *command) {
  const dispatch_t *d = command->dispatch;
  return d->count_x * d->count_y * d->count_z;
}

static uint32_t wrong_bytes(uint32_t inference) {
  uint32_t wrong = 0;
  for (uint32_t i = 0; i < output_size; i++)
    wrong += output[i] != expected[inference * output_size + i];
  return wrong;
}

#if CORES == 1

static int no_kernel(const environment_t *e, const dispatch_t *d, const workgroup_t *w) {
  (void)e, (void)d, (void)w;
  return 0;
}

static uint32_t empty_call; /* what reading the counter and calling costs */

static uint8_t *paint_stack(void) {
  uint8_t *top = (uint8_t *)(machine_stack() - 64); /* spare what this frame still writes */
  for (uint32_t i = 1; i <= PAINTED; i++) ((volatile uint8_t *)top)[-(int)i] = PAINT;
  return top;
}

static uint32_t stack_used(const uint8_t *top) {
  uint32_t depth = PAINTED;
  while (depth && top[-(int)depth] == PAINT) depth--;
  return depth ? depth + 64 : 0;
}

static uint32_t __attribute__((noinline))
measure(kernel_t kernel, const dispatch_t *d, const workgroup_t *group) {
  uint32_t before = machine_count();
  int failed = kernel(&environment, d, group);
  uint32_t after = machine_count();
  if (failed) {
    machine_write("E kernel failed\n");
    machine_exit();
  }
  return machine_elapsed(before, after);
}

static void count_dispatch(uint32_t number, const command_t *command) {
  const dispatch_t *d = command->dispatch;
  for (uint32_t i = 0, n = workgroups_of(command); i < n; i++) {
    workgroup_t group = {
        .x = i % d->count_x,
        .y = i / d->count_x % d->count_y,
        .z = (uint16_t)(i / d->count_x / d->count_y),
    };
    const uint8_t *top = paint_stack();
    uint32_t instructions = measure(library->exports[command->kernel], d, &group) - empty_call;
    uint32_t stack = stack_used(top);
    machine_write("W");
    write_number(number), write_number(i), write_number(instructions), write_number(stack);
    machine_write("\n");
  }
}

static void count_transfer(uint32_t number, const command_t *command) {
  uint32_t before = machine_count();
  run_transfer(command);
  uint32_t instructions = machine_elapsed(before, machine_count());
  machine_write("T");
  write_number(number), write_number(instructions);
  machine_write("\n");
}

int main(void) {
  machine_start();
  library = kernel_library();
  workgroup_t none = {0};
  empty_call = measure(no_kernel, 0, &none);
  memcpy(input, inputs, input_size);
  for (uint32_t i = 0; i < command_count; i++) {
    if (commands[i].kind == DISPATCH) count_dispatch(i, &commands[i]);
    else count_transfer(i, &commands[i]);
  }
  machine_write("R 1");
  write_number(wrong_bytes(0) != 0);
  machine_write("\n");
  machine_exit();
}

#else

/* The greedy queue: whoever is free takes the next workgroup; a barrier ends every dispatch. */
static const command_t *current;
static uint32_t next, remaining, generation;
static uint32_t jobs[2];

static void take_jobs(uint32_t core) {
  const command_t *command = current;
  uint32_t count = workgroups_of(command);
  for (;;) {
    uint32_t index = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED);
    if (index >= count) return;
    run_workgroup(command, index, core);
    jobs[core]++;
    __atomic_fetch_sub(&remaining, 1, __ATOMIC_RELEASE);
  }
}

/* How many cores are inside take_jobs; the next dispatch must not move `next` under them. */
static uint32_t inside;

void second_core_main(void) {
  uint32_t seen = 0;
  for (;;) {
    while (__atomic_load_n(&generation, __ATOMIC_ACQUIRE) == seen) {}
    __atomic_fetch_add(&inside, 1, __ATOMIC_SEQ_CST);
    seen = __atomic_load_n(&generation, __ATOMIC_SEQ_CST);
    if (seen & 1) take_jobs(1); /* odd: a dispatch is open */
    __atomic_fetch_sub(&inside, 1, __ATOMIC_RELEASE);
  }
}

static void run_dispatch(const command_t *command) {
  current = command;
  __atomic_store_n(&next, 0, __ATOMIC_RELAXED);
  __atomic_store_n(&remaining, workgroups_of(command), __ATOMIC_RELAXED);
  __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
  take_jobs(0);
  while (__atomic_load_n(&remaining, __ATOMIC_ACQUIRE)) {}
  __atomic_fetch_add(&generation, 1, __ATOMIC_SEQ_CST);
  while (__atomic_load_n(&inside, __ATOMIC_SEQ_CST)) {}
}

int main(void) {
  machine_start();
  library = kernel_library();
  machine_start_second_core();
  uint32_t wrong = 0;
  for (uint32_t n = 0; n < inference_count; n++) {
    memcpy(input, inputs + n * input_size, input_size);
    for (uint32_t i = 0; i < command_count; i++) {
      if (commands[i].kind == DISPATCH) run_dispatch(&commands[i]);
      else run_transfer(&commands[i]);
    }
    wrong += wrong_bytes(n) != 0;
  }
  machine_write("R");
  write_number(inference_count), write_number(wrong);
  write_number(jobs[0]), write_number(jobs[1]);
  machine_write("\n");
  machine_exit();
}

#endif
