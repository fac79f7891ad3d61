// Convolutions and their gradients in FLOP/s, on one thread, compared with the equivalent matrix product (im2col), not
// counting the time to write the matrix.

#include "cornu/bench/counters.h"
#include "cornu/core/kernels/blas.h"
#include "cornu/cornu.h"

namespace cornu::bench {
namespace {

struct Case {
  Shape x, kernel;
  Conv2DOptions options;
  Shape y() const { return conv2d(Tensor(x), Tensor(kernel), options).shape(); }
  Index taps() const { return kernel.sub(0, 3).size(); }
};

const Case lenet_first{{64, 28, 28, 1}, {5, 5, 1, 6}, {.padding = Padding::same, .relu = true}};
const Case lenet_second{{64, 14, 14, 6}, {5, 5, 6, 16}, {.relu = true}};
const Case first{{16, 28, 28, 1}, {3, 3, 1, 32}, {.relu = true}};
const Case second{{16, 26, 26, 32}, {3, 3, 32, 64}, {.relu = true}};

void count_multiplications(benchmark::State& state, Index multiplications) {
  count_flops(state, 2 * static_cast<double>(multiplications));
}

void product_of_windows(benchmark::State& state, const Case& which) {
  const Shape y = which.y();
  const Index rows = y[1] * y[2], filters = y[3];  // of one image: a larger matrix does not fit the cache
  const Tensor windows = uniform({rows, which.taps()}), kernel = uniform({which.taps(), filters});
  Tensor result({rows, filters});
  for (auto _ : state) gemm(windows.view(), kernel.view(), overwrite(result));
  count_multiplications(state, result.size() * which.taps());
}

void forward(benchmark::State& state, const Case& which) {
  const Tensor x = uniform(which.x), kernel = uniform(which.kernel), bias = uniform(which.kernel.sub(3));
  Tape tape(Mode::inference);
  for (auto _ : state) {
    tape.clear();
    conv2d(tape.input(x), tape.input(kernel), tape.input(bias), which.options);
  }
  count_multiplications(state, which.y().size() * which.taps());
}

/// Forward and backward pass, as in a training step. `by_input`: also the gradient of x, which a first layer skips.
void training(benchmark::State& state, const Case& which, bool by_input) {
  const Tensor x = uniform(which.x), gradient = uniform(which.y());
  const Parameter kernel{uniform(which.kernel)}, bias{uniform(which.kernel.sub(3))};
  Tape tape;
  for (auto _ : state) {
    tape.clear();
    tape.backward(conv2d(by_input ? tape.variable(x) : tape.input(x), kernel, bias, which.options), gradient);
  }
  count_multiplications(state, (by_input ? 3 : 2) * gradient.size() * which.taps());
}

/// Forward and backward pass with one filter per channel, for 32 channels: as a depthwise op, or as a grouped
/// convolution.
template <class Op>
void training_by_channels(benchmark::State& state, const Shape& kernel_shape, Op op) {
  const Tensor x = uniform({8, 28, 28, 32}), gradient = uniform(x.shape());
  const Parameter kernel{uniform(kernel_shape)}, bias{uniform({32})};
  Tape tape;
  for (auto _ : state) {
    tape.clear();
    tape.backward(op(tape.variable(x), kernel, bias), gradient);
  }
  count_multiplications(state, 3 * x.size() * 9);
}

void depthwise(benchmark::State& state) {
  training_by_channels(state, {3, 3, 32, 1}, [](Var x, const Parameter& kernel, const Parameter& bias) {
    return depthwise_conv2d(x, kernel, bias, {.padding = Padding::same});
  });
}

void in_groups(benchmark::State& state) {
  training_by_channels(state, {3, 3, 1, 32}, [](Var x, const Parameter& kernel, const Parameter& bias) {
    return conv2d(x, kernel, bias, {.padding = Padding::same, .groups = 32});
  });
}

BENCHMARK(depthwise);
BENCHMARK(in_groups);
BENCHMARK_CAPTURE(product_of_windows, 5x5x1x6, lenet_first);
BENCHMARK_CAPTURE(forward, 5x5x1x6, lenet_first);
BENCHMARK_CAPTURE(training, 5x5x1x6, lenet_first, false);
BENCHMARK_CAPTURE(product_of_windows, 5x5x6x16, lenet_second);
BENCHMARK_CAPTURE(forward, 5x5x6x16, lenet_second);
BENCHMARK_CAPTURE(training, 5x5x6x16, lenet_second, true);
BENCHMARK_CAPTURE(product_of_windows, 3x3x1x32, first);
BENCHMARK_CAPTURE(forward, 3x3x1x32, first);
BENCHMARK_CAPTURE(training, 3x3x1x32, first, false);
BENCHMARK_CAPTURE(product_of_windows, 3x3x32x64, second);
BENCHMARK_CAPTURE(forward, 3x3x32x64, second);
BENCHMARK_CAPTURE(training, 3x3x32x64, second, true);

}  // namespace
}  // namespace cornu::bench
