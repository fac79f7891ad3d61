// The MNIST classifier, 784-128-10 with ReLU and softmax: a warm step of training and a warm forward pass, beside the
// floor under a step, which is its matrix products and nothing else.

#include <benchmark/benchmark.h>

#include "cornu/core/blas.h"
#include "cornu/cornu.h"

namespace cornu {
namespace {

constexpr Index inputs = 784, hidden = 128, classes = 10;

Tensor uniform(const Shape& shape) {
  Tensor result(shape);
  Rng(1).fill_uniform(result, 0, 1);
  return result;
}

Sequential classifier() {
  Sequential model{Input{inputs}, Dense{hidden, relu}, Dense{classes}, Softmax{}};
  model.compile({.optimizer = SGD{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{}});
  return model;
}

void count_samples(benchmark::State& state, Index batch) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * batch);
}

void train_on_batch(benchmark::State& state) {
  const Index batch = state.range(0);
  Sequential model = classifier();
  const Tensor x = uniform({batch, inputs});
  Tensor y(Shape{batch});
  for (Index i = 0; i < batch; ++i) y[i] = static_cast<Real>(i % classes);
  for (auto _ : state) benchmark::DoNotOptimize(&model.train_on_batch(x, y));
  count_samples(state, batch);
}

void forward(benchmark::State& state) {
  const Index batch = state.range(0);
  const Sequential model = classifier();
  const Tensor x = uniform({batch, inputs});
  Tape tape(Mode::inference);
  for (auto _ : state) {
    tape.clear();
    benchmark::DoNotOptimize(model.forward(tape.input(x)).value().data());
  }
  count_samples(state, batch);
}

void products_of_a_step(benchmark::State& state) {
  const Index batch = state.range(0);
  const Tensor x = uniform({batch, inputs}), w1 = uniform({inputs, hidden}), w2 = uniform({hidden, classes});
  Tensor a1({batch, hidden}), a2({batch, classes}), dw1({inputs, hidden}), dw2({hidden, classes}), d1({batch, hidden});
  for (auto _ : state) {
    gemm(x.view(), w1.view(), overwrite(a1));
    gemm(a1.view(), w2.view(), overwrite(a2));
    gemm(transposed(a1.view()), a2.view(), overwrite(dw2));
    gemm(a2.view(), transposed(w2.view()), overwrite(d1));
    gemm(transposed(x.view()), d1.view(), overwrite(dw1));
    benchmark::DoNotOptimize(dw1.data());
  }
  count_samples(state, batch);
}

BENCHMARK(products_of_a_step)->Arg(32)->Arg(128);
BENCHMARK(train_on_batch)->Arg(32)->Arg(128);
BENCHMARK(forward)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace cornu
