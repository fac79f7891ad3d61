#pragma once

#include <benchmark/benchmark.h>

#include "cornu/core/random.h"
#include "cornu/core/tensor.h"

/// What the benchmarks of kernels and ops count. What the machine can do at most stands above their table.
namespace cornu::bench {

/// FLOP/s, where an iteration takes so many operations.
inline void count_flops(benchmark::State& state, double flops) {
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

/// Bytes/s, where an iteration reads and writes so many.
inline void count_bytes(benchmark::State& state, Index bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes);
}

/// The same, where it reads and writes so many numbers.
inline void count_numbers(benchmark::State& state, Index numbers) {
  count_bytes(state, numbers * static_cast<Index>(sizeof(Real)));
}

inline void count_samples(benchmark::State& state, Index batch) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * batch);
}

inline Tensor uniform(const Shape& shape) {
  Tensor result(shape);
  Rng(1).fill_uniform(result, 0, 1);
  return result;
}

inline Tensor labels(Index batch) {
  Tensor result(Shape{batch});
  for (Index i = 0; i < batch; ++i) result[i] = static_cast<Real>(i % 10);
  return result;
}

}  // namespace cornu::bench
