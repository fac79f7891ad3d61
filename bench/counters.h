#pragma once

#include <benchmark/benchmark.h>

#include "cornu/core/random.h"
#include "cornu/core/tensor.h"

/// Counters for the benchmarks of kernels and ops. The machine's peak rates are printed above their table.
namespace cornu::bench {

/// Reports FLOP/s; `flops`: operations per iteration.
inline void count_flops(benchmark::State& state, double flops) {
  using benchmark::Counter;
  state.counters["FLOP/s"] = Counter(flops, Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

/// Reports bytes/s; `bytes`: read and written per iteration.
inline void count_bytes(benchmark::State& state, Index bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * bytes);
}

/// Reports bytes/s; `numbers`: elements read and written per iteration.
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
