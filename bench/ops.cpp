// Benchmarks of single ops, forward and backward, on a warm tape; and of a whole step and forward pass of the MNIST
// classifier.

#include "cornu/bench/counters.h"
#include "cornu/cornu.h"

namespace cornu::bench {
namespace {

/// Runs `forward(x)` on a warm tape.
template <class Forward>
void go_forward(benchmark::State& state, const Tensor& x, Forward forward) {
  Tape tape(Mode::inference);
  for (auto _ : state) {
    tape.clear();
    benchmark::DoNotOptimize(forward(tape.input(x)).value().data());
  }
}

/// Forward and backward: the gradient of the sum of the result with respect to x.
template <class Forward>
void go_both_ways(benchmark::State& state, const Tensor& x, Forward forward) {
  Tape tape(Mode::training);
  for (auto _ : state) {
    tape.clear();
    const Var result = forward(tape.variable(x));
    tape.backward(result.rank() == 0 ? result : sum(result));
  }
}

Shape shape_of(const benchmark::State& state) { return {state.range(0), state.range(1)}; }

void relu_forward(benchmark::State& state) {
  const Tensor x = uniform(shape_of(state));
  go_forward(state, x, [](Var v) { return relu(v); });
  count_numbers(state, 2 * x.size());
}

void softmax_forward(benchmark::State& state) {
  const Tensor x = uniform(shape_of(state));
  go_forward(state, x, [](Var v) { return softmax(v); });
  count_numbers(state, 2 * x.size());
}

void cross_entropy(benchmark::State& state) {
  const Tensor x = uniform(shape_of(state)), y = labels(x.shape()[0]);
  go_both_ways(state, x, [&](Var v) { return sparse_categorical_crossentropy(v, y, {.from_logits = true}); });
  count_samples(state, x.shape()[0]);
}

void affine_and_relu(benchmark::State& state) {
  const Index batch = state.range(0), inputs = state.range(1), outputs = state.range(2);
  const Tensor x = uniform({batch, inputs});
  const Parameter w{uniform({inputs, outputs})}, b{uniform({outputs})};
  go_both_ways(state, x, [&](Var v) { return relu(affine(v, w, b)); });
  count_flops(state, 6.0 * static_cast<double>(batch * inputs * outputs));
}

void max_pooling(benchmark::State& state) {
  const Tensor x = uniform({state.range(0), state.range(1), state.range(1), state.range(2)});
  go_both_ways(state, x, [](Var v) { return max_pool2d(v, 2); });
  count_numbers(state, x.size());
}

Sequential classifier() {
  Sequential model{Input{784}, Dense{128, relu}, Dense{10}, Softmax{}};
  model.compile({.optimizer = SGD{.learning_rate = 0.01}, .loss = SparseCategoricalCrossentropy{}});
  return model;
}

void train_on_batch(benchmark::State& state) {
  const Index batch = state.range(0);
  Sequential model = classifier();
  const Tensor x = uniform({batch, 784}), y = labels(batch);
  for (auto _ : state) benchmark::DoNotOptimize(&model.train_on_batch(x, y));
  count_samples(state, batch);
}

void forward(benchmark::State& state) {
  const Sequential model = classifier();
  go_forward(state, uniform({state.range(0), 784}), [&](Var v) { return model.forward(v); });
  count_samples(state, state.range(0));
}

void predict_on_batch(benchmark::State& state) {
  const Sequential model = classifier();
  const Tensor x = uniform({state.range(0), 784});
  for (auto _ : state) benchmark::DoNotOptimize(model.predict_on_batch(x).data());
  count_samples(state, state.range(0));
}

BENCHMARK(relu_forward)->Args({32, 128})->Args({256, 1024});
BENCHMARK(softmax_forward)->Args({32, 10})->Args({256, 1000});
BENCHMARK(cross_entropy)->Args({32, 10})->Args({256, 10});
BENCHMARK(affine_and_relu)->Args({32, 784, 128})->Args({128, 784, 128})->Args({256, 1024, 1024});
BENCHMARK(max_pooling)->Args({64, 28, 6})->Args({128, 24, 64});
BENCHMARK(train_on_batch)->Arg(32)->Arg(128);
BENCHMARK(forward)->Arg(1)->Arg(1000);
BENCHMARK(predict_on_batch)->Arg(1)->Arg(1000);

}  // namespace
}  // namespace cornu::bench
