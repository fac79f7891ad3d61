// Benchmarks of single kernels: products in the shapes of the workloads, data movement, and optimizer steps.

#include "cornu/core/kernels/kernels.h"
#include "cornu/bench/counters.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/cornu.h"

namespace cornu::bench {
namespace {

/// The three products of a dense layer: (batch, inputs) times (inputs, outputs), and both gradients.
void product(benchmark::State& state) {
  const Index m = state.range(0), k = state.range(1), n = state.range(2);
  const Tensor a = uniform({m, k}), b = uniform({k, n});
  Tensor c({m, n});
  for (auto _ : state) gemm(a.view(), b.view(), overwrite(c));
  count_flops(state, 2.0 * static_cast<double>(m * k * n));
}

void product_for_kernel(benchmark::State& state) {
  const Index m = state.range(0), k = state.range(1), n = state.range(2);
  const Tensor a = uniform({m, k}), dc = uniform({m, n});
  Tensor db({k, n});
  for (auto _ : state) gemm(transposed(a.view()), dc.view(), overwrite(db));
  count_flops(state, 2.0 * static_cast<double>(m * k * n));
}

void product_for_input(benchmark::State& state) {
  const Index m = state.range(0), k = state.range(1), n = state.range(2);
  const Tensor dc = uniform({m, n}), b = uniform({k, n});
  Tensor da({m, k});
  for (auto _ : state) gemm(dc.view(), transposed(b.view()), overwrite(da));
  count_flops(state, 2.0 * static_cast<double>(m * k * n));
}

void layers_of_the_workloads(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"batch", "in", "out"});
  for (const Index batch : {1, 32, 128}) benchmark->Args({batch, 784, 128});
  benchmark->Args({32, 128, 10})->Args({256, 784, 1024})->Args({256, 1024, 1024})->Args({60'000, 784, 10});
}

void copy_numbers(benchmark::State& state) {
  const Tensor from = uniform({state.range(0)});
  Tensor to(from.shape());
  for (auto _ : state) {
    copy(from, overwrite(to));
    benchmark::ClobberMemory();
  }
  count_numbers(state, 2 * from.size());
}

void gather(benchmark::State& state) {
  const Index batch = state.range(0);
  const auto [train, test] = datasets::digits({.samples = 6000});
  Rng rng(1);
  const std::vector<Index> order = rng.permutation(train.size());
  Tensor x({batch, 28, 28}), y(Shape{batch});
  Index first = 0;
  for (auto _ : state) {
    if (first + batch > train.size()) first = 0;
    train.gather(std::span(order).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(batch)), x, y);
    first += batch;
  }
  count_bytes(state, x.size() * static_cast<Index>(sizeof(Real) + 1));  // a pixel is read as one byte
  count_samples(state, batch);
}

void add_bias(benchmark::State& state) {
  Tensor y({state.range(0), state.range(1)});
  const Tensor bias = uniform({state.range(1)});
  for (auto _ : state) {
    fill_rows(y, bias);
    benchmark::ClobberMemory();
  }
  count_numbers(state, y.size());
}

void gradient_of_bias(benchmark::State& state) {
  const Tensor dy = uniform({state.range(0), state.range(1)});
  Tensor db(Shape{state.range(1)});
  for (auto _ : state) {
    sum_rows(dy, overwrite(db));
    benchmark::ClobberMemory();
  }
  count_numbers(state, dy.size());
}

template <class Rule>
void update(benchmark::State& state) {
  const Rule rule{};
  Tensor parameter = uniform({state.range(0)});
  const Tensor gradient = uniform(parameter.shape());
  std::vector<Tensor> memory(static_cast<std::size_t>(rule.slot_count()), Tensor(parameter.shape()));
  const std::vector<View> slots(memory.begin(), memory.end());
  for (auto _ : state) {
    rule.update(parameter, gradient, slots, {.iteration = 10, .learning_rate = 1e-3});
    benchmark::ClobberMemory();
  }
  count_numbers(state, (3 + 2 * rule.slot_count()) * parameter.size());  // parameter and state are read and written
}

constexpr Index in_cache = 64 * 1024, in_memory = 32 * 1024 * 1024, parameters = 784 * 128;

BENCHMARK(product)->Apply(layers_of_the_workloads);
BENCHMARK(product_for_kernel)->Apply(layers_of_the_workloads);
BENCHMARK(product_for_input)->Apply(layers_of_the_workloads);
BENCHMARK(copy_numbers)->Arg(in_cache)->Arg(in_memory);
BENCHMARK(gather)->Arg(32)->Arg(128);
BENCHMARK(add_bias)->Args({32, 128})->Args({256, 1024});
BENCHMARK(gradient_of_bias)->Args({32, 128})->Args({256, 1024});
BENCHMARK_TEMPLATE(update, SGD)->Arg(parameters);
BENCHMARK_TEMPLATE(update, Adam)->Arg(parameters);

}  // namespace
}  // namespace cornu::bench
