#pragma once

#include <type_traits>

#include "cornu/core/compiler.h"

namespace cornu {

/// The vector units that loops are compiled for. `any` is what every processor of the architecture has.
enum class Vectors { any, avx2, avx512 };

/// The widest of them that this processor has; less where the environment variable CORNU_VECTORS names less ("any",
/// "avx2"), as tests and comparisons do. Asked once.
Vectors widest_vectors();

/// How wide a vector register is, in bytes, as a constant of a type.
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
// The loop comes by value: what it holds is then its own, and no number that it writes can change it.
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

/// Calls `loop()`, compiled for the widest vectors that this processor has. The library is built for any processor;
/// what is called in here, and can be inlined, is built three times and chosen from when it runs:
///
///     vectorized([=] { for (Index i = 0; i < n; ++i) y[i] = std::max(x[i], Real{0}); });
///
/// A loop that takes an argument is told how wide a register is: `loop(VectorBytes<64>{})`.
/// It costs a few nanoseconds, so it belongs around whole loops. The wider variants may fuse a product and a sum
/// (fma): their results differ from the narrow one's in the last bits. docs/decisions/vectors.md
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
