/* What a kernel of IREE 3.8.0 expects (its executable library interface, version 6), and the
   table of commands that the generated program.c fills in. 32-bit machines only. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
  const uint32_t *constants;
  void *import_thunk;
  void **imports;
  void **import_contexts;
  uint64_t processor[8];
} environment_t;

typedef struct {
  uint32_t size_x, size_y;
  uint16_t size_z, constant_count;
  uint32_t count_x, count_y;
  uint16_t count_z;
  uint8_t max_concurrency, binding_count;
  const uint32_t *constants;
  void *const *bindings;
  const size_t *binding_lengths;
} dispatch_t;

typedef struct {
  uint32_t x, y;
  uint16_t z, reserved;
  uint32_t processor_id;
  void *local_memory;
  uint32_t local_memory_size;
} workgroup_t;

typedef int (*kernel_t)(const environment_t *, const dispatch_t *, const workgroup_t *);

typedef struct {
  const void *header;
  uint32_t import_count;
  const char *const *import_symbols;
  uint32_t export_count;
  const kernel_t *exports;
} library_t;

enum { DISPATCH, FILL, COPY };

typedef struct {
  uint8_t kind;
  uint8_t pattern_size;        /* of a fill */
  uint16_t kernel;             /* of a dispatch */
  const dispatch_t *dispatch;
  uint8_t *target;             /* of a fill or a copy */
  const uint8_t *source;       /* of a copy; of a fill: the pattern */
  uint32_t length;
} command_t;

/* program.c */
extern const command_t commands[];
extern const uint32_t command_count;
extern uint8_t *const input, *const output;
extern const uint32_t input_size, output_size, inference_count;
extern const uint8_t inputs[], expected[];
const library_t *kernel_library(void);

/* the machine */
void machine_start(void);
void machine_write(const char *text);
void machine_exit(void) __attribute__((noreturn));
uint32_t machine_count(void);                      /* a counter that runs with instructions */
uint32_t machine_elapsed(uint32_t from, uint32_t to);
uint32_t machine_stack(void);
void machine_start_second_core(void);
void second_core_main(void);                       /* what the second core runs */

#endif
