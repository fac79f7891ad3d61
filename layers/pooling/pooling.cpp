#include "cornu/layers/pooling/pooling.h"

#include <limits>

#include "cornu/core/error.h"
#include "cornu/core/kernels/window.h"
#include "cornu/core/ops/masks.h"

namespace cornu::detail {

Shape pooled_shape(const char* layer, const Shape& sample, Size2D pool_size, const Pool2DOptions& options) {
  require(sample.rank() == 3, "{}: a sample of shape {}; (height, width, channels) is required", layer, sample);
  detail::require_padding_of_images(layer, options.padding);
  const detail::Window window(layer, sample.batched(1), pool_size, options);
  return window.result(window.channels).sub(1);
}

// ---- Sequences ----

Shape Pool1D::build(const char* layer, const Shape& sample) const {
  require(sample.rank() == 2, "{}: a sample of shape {}; (steps, features) is required", layer, sample);
  const detail::Window window(layer, {1, 1, sample[0], sample[1]}, {1, pool_size},
                              {.strides = {1, strides}, .padding = padding});
  return {window.x.out, window.channels};
}

Var Pool1D::forward(const char* layer, const char* op, Var (*pool)(Var, Size2D, const Pool2DOptions&), Var x) const {
  require(x.rank() == 3, "{}: an input of shape {}; (batch, steps, features) is required", layer, x.shape());
  return composite(x.tape(), op, {x}, [&] {
    const Var row =
        pool(reshape(x, x.shape().inserted(1, 1)), {1, pool_size}, {.strides = {1, strides}, .padding = padding});
    return reshape(row, row.shape().without(1));
  });
}

// ---- All positions ----

namespace {

/// True for a sample with `axes` axes of positions, at least one position, and features.
bool has_positions(const Shape& sample, Index axes) {
  return sample.rank() == axes + 1 && sample.sub(0, axes).size() > 0;
}

using Reduce = Var (*)(Var, Index, const ReduceOptions&);

/// Below every element; finite as a float, in which exporters write it.
constexpr Real lowest = -std::numeric_limits<float>::max();

/// The mean or maximum over the steps that the mask counts; 0 for a sample without any.
Var of_counted_steps(Var x, bool largest, bool keepdims) {
  const ReduceOptions options{.keepdims = keepdims};
  const Var mask = x.mask(), counts = reshape(mask, {x.shape()[0], x.shape()[1], 1});
  const Var plain = with_mask(x, {}) * counts, number = sum(counts, 1, options);
  if (!largest) return sum(plain, 1, options) / maximum(number, 1);
  const Var most = max(plain + (1 - counts) * lowest, 1, options);
  return most * minimum(number, 1);
}

}  // namespace

Shape GlobalPool::build(const char* layer, const Shape& sample) const {
  require(has_positions(sample, axes), "{}: a sample of shape {}; {} is required", layer, sample,
          axes == 1 ? "(steps, features) with at least one step" : "(height, width, channels) with at least one pixel");
  if (!keepdims) return {sample[-1]};
  return axes == 1 ? Shape{1, sample[1]} : Shape{1, 1, sample[2]};
}

Var GlobalPool::forward(const char* layer, const char* op, Var (*reduce)(Var, Index, const ReduceOptions&),
                        Var x) const {
  const Shape& s = x.shape();
  require(s.rank() > 0 && has_positions(s.sub(1), axes), "{}: an input of shape {}; {} is required", layer, s,
          axes == 1 ? "(batch, steps, features) with at least one step"
                    : "(batch, height, width, channels) with at least one pixel");
  if (axes == 1 && x.is_masked()) return of_counted_steps(x, reduce == static_cast<Reduce>(max), keepdims);
  return composite(x.tape(), op, {x}, [&] {
    if (axes == 1) return reduce(x, 1, {.keepdims = keepdims});
    const Var y = reduce(reshape(x, {s[0], s[1] * s[2], s[3]}), 1, {});
    return keepdims ? reshape(y, {s[0], 1, 1, s[3]}) : y;
  });
}

}  // namespace cornu::detail
