// Vector table and reset handler of a Cortex-M4.
#include <cstdint>

#include "cornu/tests/embedded/program.h"

extern "C" {
// Of mps2_an386.ld.
extern std::uint32_t data_in_flash[], data_begin[], data_end[], bss_begin[], bss_end[], stack_top[];

[[noreturn]] void reset();
[[noreturn]] void fault();
int* error_number() __asm__("__errno");
}

// Where std::exp and others store errors. That of newlib is in a structure of 96 bytes, for programs with threads.
int* error_number() {
  static int number;
  return &number;
}

void fault() {
  for (;;) __asm__ volatile("bkpt 0xff");  // ends qemu; on a board, a debugger stops here
}

void reset() {
  *reinterpret_cast<volatile std::uint32_t*>(0xe000ed88) |= 0xfU << 20U;  // CPACR: turns the FPU on
  __asm__ volatile("dsb\n isb");
  // Volatile, so that g++ does not make calls of memcpy and memset of these loops.
  const std::uint32_t* from = data_in_flash;
  for (volatile std::uint32_t* to = data_begin; to != data_end; ++to) *to = *from++;
  for (volatile std::uint32_t* to = bss_begin; to != bss_end; ++to) *to = 0;
  start();
}

struct Vectors {
  std::uint32_t* stack;
  void (*handlers[15])();  // of the processor's own exceptions; those of the board's interrupts would follow
};

extern "C" __attribute__((section(".vectors"), used)) const Vectors vectors = {
    stack_top,
    {reset, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault}};
