// Runs the computation on the board for each sample of the file `input`. Writes the outputs to `output`, and to
// `measured` two 32-bit numbers: the bytes of stack and the count of instructions of `run`.
//
// With qemu's -icount shift=0, each instruction takes one nanosecond of the board's time. SysTick counts the
// processor's clock of 25 MHz, a tick in 40 instructions. Ten runs reduce the error of one tick to 4 instructions.
#include <cstdint>

#include "cornu/tests/embedded/program.h"

namespace {

volatile std::uint32_t& at(std::uintptr_t address) { return *reinterpret_cast<volatile std::uint32_t*>(address); }

// ---- Semihosting: https://github.com/ARM-software/abi-aa/blob/main/semihosting/semihosting.rst ----

enum Operation : std::uint32_t { open = 0x01, write_bytes = 0x05, read_bytes = 0x06, exit_with = 0x20 };
using Word = std::uintptr_t;

Word call(Operation operation, const Word* arguments) {
  register Word r0 __asm__("r0") = operation;
  register const Word* r1 __asm__("r1") = arguments;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return r0;
}

/// Ends qemu; its exit status shows where.
[[noreturn]] void leave(Word status) {
  constexpr Word application_exit = 0x20026;
  const Word arguments[] = {application_exit, status};
  for (;;) call(exit_with, arguments);
}

enum Mode : Word { read_binary = 1, write_binary = 5 };

/// Opens a file, or ends the program.
template <Word length>
Word opened(const char (&name)[length], Mode mode) {
  const Word arguments[] = {reinterpret_cast<Word>(name), mode, length - 1};
  const Word handle = call(open, arguments);
  if (handle == ~Word{0}) leave(2);
  return handle;
}

/// Reads or writes; returns the bytes that are missing.
Word transfer(Operation operation, Word handle, const void* memory, Word bytes) {
  const Word arguments[] = {handle, reinterpret_cast<Word>(memory), bytes};
  return call(operation, arguments);
}

// ---- Stack ----

constexpr std::uint32_t paint = 0xa5c3f00d, painted_words = 1U << 18U;

/// Bytes of stack that `run` uses: those no longer painted.
__attribute__((noinline)) Word stack_of_run() {
  volatile std::uint32_t* top;
  __asm__ volatile("mov %0, sp" : "=r"(top));
  for (std::uint32_t i = 1; i <= painted_words; ++i) top[-static_cast<int>(i)] = paint;
  run();
  std::uint32_t deepest = painted_words;
  while (deepest > 0 && top[-static_cast<int>(deepest)] == paint) --deepest;
  if (deepest == painted_words) leave(3);
  return deepest * sizeof paint;
}

// ---- Instructions ----

constexpr std::uintptr_t systick_control = 0xe000e010, systick_reload = 0xe000e014, systick_value = 0xe000e018;
constexpr std::uint32_t processor_clock = 4, enable = 1, largest = 0xffffff, instructions_per_tick = 40, repeats = 10;

std::uint32_t instructions_of_run() {
  at(systick_reload) = largest;
  at(systick_value) = 0;  // reloads the counter, whatever is written
  at(systick_control) = processor_clock | enable;
  const std::uint32_t before = at(systick_value);
  for (std::uint32_t i = 0; i < repeats; ++i) run();
  const std::uint32_t after = at(systick_value);
  if ((at(systick_control) >> 16U & 1U) != 0) leave(4);                   // it has reached 0
  return ((before - after) & largest) * instructions_per_tick / repeats;  // it counts down
}

}  // namespace

void start() {
  const Word in = opened("input", read_binary), out = opened("output", write_binary);
  Word stack = 0, samples = 0;
  for (; transfer(read_bytes, in, input, input_count * sizeof(float)) == 0; ++samples) {
    const Word used = stack_of_run();
    stack = used > stack ? used : stack;
    if (transfer(write_bytes, out, output, output_count * sizeof(float)) != 0) leave(5);
  }
  if (samples == 0) leave(6);
  // After all outputs, as a computation may change what the next one starts from.
  const std::uint32_t measured[] = {stack, instructions_of_run()};
  if (transfer(write_bytes, opened("measured", write_binary), measured, sizeof measured) != 0) leave(7);
  leave(0);
}
