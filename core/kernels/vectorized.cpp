#include "cornu/core/kernels/vectorized.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace cornu {

namespace {

Vectors of_this_processor() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
    return wide ? Vectors::avx512 : Vectors::avx2;
  }
#endif
  return Vectors::any;
}

Vectors allowed() {
  const char* const name = std::getenv("CORNU_VECTORS");
  if (name == nullptr) return Vectors::avx512;
  return std::string_view(name) == "any"    ? Vectors::any
         : std::string_view(name) == "avx2" ? Vectors::avx2
                                            : Vectors::avx512;
}

}  // namespace

Vectors widest_vectors() {
  static const Vectors widest = std::min(of_this_processor(), allowed());
  return widest;
}

}  // namespace cornu
