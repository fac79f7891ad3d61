#pragma once

#include <cstdint>

#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace cornu::detail {

/// While it lives, this thread treats denormal numbers as zero: loops that meet them, such as a decaying echo, are not
/// slowed down. It does nothing on processors other than x86-64 and 64-bit ARM.
class DenormalsAreZero {
 public:
  DenormalsAreZero() : old_(get()) {
    if ((old_ & zeros) != zeros) set(old_ | zeros);
  }
  DenormalsAreZero(const DenormalsAreZero&) = delete;
  DenormalsAreZero& operator=(const DenormalsAreZero&) = delete;
  ~DenormalsAreZero() {
    if ((old_ & zeros) != zeros) set(old_);
  }

 private:
#ifdef __SSE__
  using Bits = std::uint32_t;
  static constexpr Bits zeros = 0x8040;  // results and operands
  static Bits get() { return _mm_getcsr(); }
  static void set(Bits bits) { _mm_setcsr(bits); }
#elif defined(__aarch64__)
  using Bits = std::uint64_t;
  static constexpr Bits zeros = Bits{1} << 24;
  static Bits get() {
    Bits bits = 0;
    asm volatile("mrs %0, fpcr" : "=r"(bits));
    return bits;
  }
  static void set(Bits bits) { asm volatile("msr fpcr, %0" : : "r"(bits)); }
#else
  using Bits = std::uint32_t;
  static constexpr Bits zeros = 0;
  static Bits get() { return 0; }
  static void set(Bits) {}
#endif

  Bits old_;
};

}  // namespace cornu::detail
