// The MNIST classifier, 784-128-10 with ReLU and softmax: a warm step of training and a warm forward pass, beside the
// floor under a step, which is its matrix products and nothing else.

#include <benchmark/benchmark.h>
#include <cblas.h>

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

inline void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const float* a, int lda, const float* b,
                 int ldb, float* c) {
  cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}
inline void call(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, int m, int n, int k, const double* a, int lda, const double* b,
                 int ldb, double* c) {
  cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, 1, a, lda, b, ldb, 0, c, n);
}

/// c (m, n) = a b, each possibly transposed, by a direct call.
void product(CBLAS_TRANSPOSE ta, CBLAS_TRANSPOSE tb, Index m, Index n, Index k, const Tensor& a, const Tensor& b,
             Tensor& c) {
  const Index lda = ta == CblasTrans ? m : k, ldb = tb == CblasTrans ? k : n;
  call(ta, tb, static_cast<int>(m), static_cast<int>(n), static_cast<int>(k), a.data(), static_cast<int>(lda), b.data(),
       static_cast<int>(ldb), c.data());
}

void products_of_a_step(benchmark::State& state) {
  const Index batch = state.range(0);
  matmul(uniform({1, 1}), uniform({1, 1}));  // puts OpenBLAS to the thread and the kernels that Cornu uses
  const Tensor x = uniform({batch, inputs}), w1 = uniform({inputs, hidden}), w2 = uniform({hidden, classes});
  Tensor a1 = uniform({batch, hidden}), a2 = uniform({batch, classes});
  Tensor dw1({inputs, hidden}), dw2({hidden, classes}), d1({batch, hidden});
  for (auto _ : state) {
    product(CblasNoTrans, CblasNoTrans, batch, hidden, inputs, x, w1, a1);
    product(CblasNoTrans, CblasNoTrans, batch, classes, hidden, a1, w2, a2);
    product(CblasTrans, CblasNoTrans, hidden, classes, batch, a1, a2, dw2);
    product(CblasNoTrans, CblasTrans, batch, hidden, classes, a2, w2, d1);
    product(CblasTrans, CblasNoTrans, inputs, hidden, batch, x, d1, dw1);
    benchmark::DoNotOptimize(dw1.data());
  }
  count_samples(state, batch);
}

BENCHMARK(products_of_a_step)->Arg(32)->Arg(128);
BENCHMARK(train_on_batch)->Arg(32)->Arg(128);
BENCHMARK(forward)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace cornu
