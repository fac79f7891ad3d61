#pragma once

#include <type_traits>

#include "cornu/core/compiler.h"

namespace cornu {

/// Instruction sets that loops are compiled for. `any`: the baseline of the architecture.
enum class Vectors { any, avx2, avx512 };

/// The widest instruction set of this processor, limited by the environment variable CORNU_VECTORS ("any", "avx2"),
/// which tests and benchmarks set. Determined once.
Vectors widest_vectors();

/// The width of a vector register in bytes, as a type.
template <int bytes>
using VectorBytes = std::integral_constant<int, bytes>;

namespace detail {

template <int bytes, class Loop>
void call_with_width(const Loop& loop) {
  if constexpr (requires { loop(VectorBytes<bytes>{}); }) {
    loop(VectorBytes<bytes>{});
  } else {
    loop();
  }
}

#ifdef __x86_64__
// The loop is passed by value, so that the compiler knows that its captures are not changed by what it writes.
template <class Loop>
__attribute__((target("avx2,fma,bmi2"), flatten)) void with_avx2(Loop loop) {
  call_with_width<32>(loop);
}
template <class Loop>
__attribute__((target("avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx2,fma,bmi2"), flatten)) void with_avx512(
    Loop loop) {
  call_with_width<64>(loop);
}
#endif

}  // namespace detail

/// Calls `loop()`, compiled for the widest vectors of this processor. The library runs on any processor of the
/// architecture: the loop and everything inlined into it are compiled once per instruction set, and the version is
/// selected at run time.
///
///     vectorized([=] { for (Index i = 0; i < n; ++i) y[i] = std::max(x[i], Real{0}); });
///
/// If the loop has a parameter, it is passed the width of a register: `loop(VectorBytes<64>{})`.
/// A call costs a few nanoseconds, so wrap whole loops. The wider versions may fuse a product and a sum (fma): their
/// results differ from the baseline's in the last bits. See docs/decisions/vectors.md.
template <class Loop>
void vectorized(const Loop& loop) {
#ifdef __x86_64__
  switch (widest_vectors()) {
    case Vectors::avx512:
      return detail::with_avx512(loop);
    case Vectors::avx2:
      return detail::with_avx2(loop);
    case Vectors::any:
      break;
  }
#endif
  detail::call_with_width<16>(loop);
}

}  // namespace cornu
