#pragma once

#include <cstdlib>
#include <vector>

#include "cornu/cornu.h"

namespace cornu::testing {

/// A layer that calls random ops on its input and on their results, the same for the same seed. All values stay small.
class RandomGraph {
 public:
  explicit RandomGraph(std::uint64_t seed) : seed_(seed) {}

  Var forward(Var x) const {
    Rng rng(seed_);
    std::vector<Var> values{x};
    const Index count = 3 + below(rng, 8);
    for (Index i = 0; i < count; ++i) values.push_back(next(rng, values));
    return values.back();
  }

 private:
  static Index below(Rng& rng, Index n) { return static_cast<Index>(rng.bits() % static_cast<std::uint64_t>(n)); }

  static Tensor drawn(Rng& rng, const Shape& shape) {
    Tensor result(shape);
    Rng(rng.bits()).fill_uniform(result, Real(-0.6), Real(0.6));
    return result;
  }

  static Var unary(Rng& rng, Var x) {
    switch (below(rng, 18)) {
      case 0:
        return relu(x);
      case 1:
        return sigmoid(x);
      case 2:
        return tanh(x);
      case 3:
        return gelu(x);
      case 4:
        return gelu(x, GeluOptions{.approximate = true});
      case 5:
        return swish(x);
      case 6:
        return softplus(x);
      case 7:
        return leaky_relu(x, 0.1);
      case 8:
        return elu(x, 0.7);
      case 9:
        return -x;
      case 10:
        return abs(x);
      case 11:
        return square(tanh(x));
      case 12:
        return exp(tanh(x));
      case 13:
        return sqrt(abs(x) + 0.5);
      case 14:
        return log(abs(x) + 0.5);
      case 15:
        return minimum(x, 0.3);
      case 16:
        return maximum(0.1, x);
      default:
        return 1 - x / 2;
    }
  }

  /// An op along an axis other than the batch, or on all of them.
  static Var of_axes(Rng& rng, Var x) {
    const Index rank = x.rank(), axis = 1 + below(rng, rank - 1);
    std::vector<Index> order{0};
    for (Index i = 1; i < rank; ++i) order.insert(order.begin() + 1 + below(rng, i), i);
    switch (below(rng, 10)) {
      case 0:
        return softmax(x, axis);
      case 1:
        return log_softmax(x, axis) / 4;
      case 2:
        return rank > 2 ? mean(x, axis) : x * mean(x, axis, {.keepdims = true});
      case 3:
        return x - mean(x, axis, {.keepdims = true});
      case 4:
        return rank > 2 ? max(x, axis) : max(x, axis, {.keepdims = true});
      case 5:
        return tanh(sum(x, axis, {.keepdims = true}));
      case 6:
        return transpose(x, order);
      case 7:
        return concatenate({x, x * 2}, axis);
      case 8:
        return slice_axis(x, axis, 0, (x.shape()[axis] + 1) / 2);
      default: {
        const Shape one = x.shape().sub(rank - 1);
        Tape& tape = x.tape();
        return layer_normalization(x, tape.constant(drawn(rng, one)), tape.constant(drawn(rng, one)));
      }
    }
  }

  static Var product(Rng& rng, Var x) {
    Tape& tape = x.tape();
    const Index in = x.shape()[-1], out = 1 + below(rng, 4);
    if (x.rank() == 4 && x.shape()[1] > 1 && x.shape()[2] > 1 && below(rng, 3) > 0) {
      switch (below(rng, 4)) {
        case 0:
          return max_pool2d(x, 2, {.strides = 1, .padding = Padding::same});
        case 1:
          return average_pool2d(x, 2, {.strides = 1});
        case 2:
          return depthwise_conv2d(x, tape.constant(drawn(rng, {2, 2, in, 1})), {.padding = Padding::same});
        default:
          return conv2d(x, tape.constant(drawn(rng, {2, 2, in, out})), tape.constant(drawn(rng, {out})),
                        {.padding = Padding::same, .relu = below(rng, 2) == 0});
      }
    }
    const Var w = tape.constant(drawn(rng, {in, out}));
    return below(rng, 2) == 0 ? matmul(x, w) : affine(x, w, tape.constant(drawn(rng, {out})));
  }

  static Var next(Rng& rng, const std::vector<Var>& values) {
    const auto pick = [&] { return values[static_cast<std::size_t>(below(rng, std::ssize(values)))]; };
    const Var x = below(rng, 3) == 0 ? pick() : values.back();
    switch (below(rng, 8)) {
      case 0:
      case 1:
        return unary(rng, x);
      case 2:
      case 3:
        return of_axes(rng, x);
      case 4:
      case 5:
        return product(rng, x);
      case 6: {  // the samples in another shape
        const Shape& s = x.shape();
        const Index size = s.sub(1).size(), side = size % 2 == 0 ? 2 : 1;
        switch (below(rng, 4)) {
          case 0:
            return reshape(x, {s[0], side, size / side});
          case 1:
            return reshape(x, {s[0], size / side, side});
          case 2:
            return reshape(x, {s[0], 1, side, size / side});
          default:
            return reshape(x, {s[0], size});
        }
      }
      default: {
        const Var y = pick();
        if (y.shape() != x.shape()) return x * x.tape().constant(drawn(rng, x.shape().sub(x.rank() - 1)));
        return below(rng, 2) == 0 ? x + y : x * tanh(y);
      }
    }
  }

  std::uint64_t seed_;
};

/// How many random graphs a test goes through: 300, or CORNU_RANDOM_GRAPHS.
inline std::uint64_t random_graph_count() {
  const char* const count = std::getenv("CORNU_RANDOM_GRAPHS");
  return count == nullptr ? 300 : std::strtoull(count, nullptr, 10);
}

/// A model of a random graph, for samples of one to three axes.
inline Sequential random_model(std::uint64_t seed) {
  const Shape shapes[] = {{6}, {4, 3}, {5, 4, 2}};
  return Sequential{AnyLayer(Input{shapes[seed % 3]}), {"graph", RandomGraph(seed)}};
}

}  // namespace cornu::testing
