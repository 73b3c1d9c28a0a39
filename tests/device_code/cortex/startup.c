/*
 * Starts a program on an emulated Cortex-M, whose files are the host's by semihosting, and counts the
 * instructions of a call of PREPROCESS and DECODE: under `-icount shift=0` one instruction takes 1 ns.
 */
#include <stdint.h>
#include <stdio.h>

extern uint32_t stack_top[];
extern void _start(void);
void reset(void);
extern int __real_PREPROCESS(const void *raw, void *input);
extern void __real_DECODE(const void *input, const void *output, void *result);

#define SYSTICK ((volatile uint32_t *)0xe000e010)
#define COPROCESSORS (*(volatile uint32_t *)0xe000ed88)

static char heap[64 * 1024]; /* of the check program and the C library's files */

void *_sbrk(int bytes);
void *_sbrk(int bytes) {
  static int taken = 0;
  if (taken + bytes > (int)sizeof heap) return (void *)-1;
  taken += bytes;
  return heap + taken - bytes;
}

static uint64_t spent[2];
static uint32_t calls[2];

void reset(void) {
#if defined(__ARM_FP)
  COPROCESSORS |= 0xfu << 20;
#endif
  SYSTICK[1] = 0xffffff;
  SYSTICK[2] = 0;
  SYSTICK[0] = 5; /* counts down at the processor's clock */
  _start();
}

static void fault(void) {
  for (;;) __asm volatile("bkpt 0xff");
}

__attribute__((section(".vectors"), used)) static void *const vectors[16] = {
    stack_top, (void *)reset, (void *)fault, (void *)fault, (void *)fault, (void *)fault, (void *)fault,
};

static uint32_t ticks_since(uint32_t before) { return (before - SYSTICK[2]) & 0xffffff; }

int __wrap_PREPROCESS(const void *raw, void *input) {
  const uint32_t before = SYSTICK[2];
  const int status = __real_PREPROCESS(raw, input);
  if (status == 0) {
    spent[0] += ticks_since(before);
    ++calls[0];
  }
  return status;
}

void __wrap_DECODE(const void *input, const void *output, void *result) {
  const uint32_t before = SYSTICK[2];
  __real_DECODE(input, output, result);
  spent[1] += ticks_since(before);
  ++calls[1];
}

__attribute__((destructor)) static void report(void) {
  int i;
  for (i = 0; i < 2; ++i) {
    fprintf(stderr, "%lu\n", calls[i] ? (unsigned long)(spent[i] * TICK_NS / calls[i]) : 0ul);
  }
}
