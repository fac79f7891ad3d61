#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/kernels/kernels.h"
#include "cornu/layers/convolutional/conv1d.h"
#include "cornu/layers/convolutional/conv2d.h"
#include "cornu/layers/convolutional/depthwise_conv2d.h"
#include "cornu/layers/dense.h"
#include "cornu/layers/normalization/batch_normalization.h"
#include "cornu/layers/normalization/layer_normalization.h"
#include "cornu/layers/normalization/normalization.h"
#include "cornu/models/export_cpp/layers.h"

namespace cornu::detail {

namespace {

/// Axes [first, last) of a sample, along which mean and factor vary.
struct Axes {
  Index first, last;
};

/// y = (x - mean) factor + sum along these axes. An empty mean or sum is omitted.
CppValue normalized(CppProgram& program, const CppValue& x, const Axes& axes, std::span<const Real> mean,
                    std::span<const Real> factor, std::span<const Real> sum) {
  const auto argument = [&](const char* name, std::span<const Real> numbers) {
    return numbers.empty() ? "nullptr" : program.array(name, numbers);
  };
  const std::string arguments =
      fmt::format("{}, {}, {}", argument("mean", mean), argument("factor", factor), argument("sum", sum));
  const CppValue y = program.make(x.shape);
  program.call("normalize",
               fmt::format("{}, {}, {}", x.shape.sub(0, axes.first).size(), x.shape.sub(axes.first, axes.last).size(),
                           x.shape.sub(axes.last).size()),
               {&x, 1}, arguments, y);
  return y;
}

/// gamma / sqrt(moving variance + epsilon).
std::vector<Real> factors_of(const BatchNormalization& layer) {
  std::vector<Real> factors;
  for (Index i = 0; i < layer.moving_variance.value.size(); ++i) {
    const double gamma = layer.scale ? static_cast<double>(layer.gamma.value[i]) : 1;
    factors.push_back(
        static_cast<Real>(gamma / std::sqrt(static_cast<double>(layer.moving_variance.value[i]) + layer.epsilon)));
  }
  return factors;
}

std::span<const Real> numbers_of(const Tensor& tensor) {
  return {tensor.data(), static_cast<std::size_t>(tensor.size())};
}

CppValue batch_normalization(CppProgram& program, const BatchNormalization& layer, const CppValue& x) {
  const Index axis = layer.axis < 0 ? layer.axis + x.shape.rank() : layer.axis - 1;
  return normalized(program, x, {axis, axis + 1}, numbers_of(layer.moving_mean.value), factors_of(layer),
                    layer.center ? numbers_of(layer.beta.value) : std::span<const Real>());
}

CppValue normalization(CppProgram& program, const Normalization& layer, const CppValue& x) {
  // One range of axes covers all axes with their own means; along axes in between the means are repeated.
  const Index rank = x.shape.rank();
  std::vector<Index> own;
  for (const Index axis : layer.axis) own.push_back(axis < 0 ? axis + rank : axis - 1);
  const auto [least, most] = std::minmax_element(own.begin(), own.end());
  const Axes axes = own.empty() ? Axes{0, 0} : Axes{*least, *most + 1};
  const Shape places = x.shape.sub(axes.first, axes.last);
  Shape kept = places;
  for (Index i = 0; i < kept.rank(); ++i) {
    if (std::find(own.begin(), own.end(), axes.first + i) == own.end()) kept = kept.with(i, 1);
  }
  std::vector<Real> mean(static_cast<std::size_t>(places.size())), factor(mean.size());
  Broadcast(places, kept, places).each([&](Index i, Index, Index from) {
    const Real width = std::max(std::sqrt(layer.variance.value[from]), Real(1e-7));
    mean[static_cast<std::size_t>(i)] = layer.mean.value[from];
    factor[static_cast<std::size_t>(i)] = layer.invert ? width : 1 / width;
  });
  return layer.invert ? normalized(program, x, axes, {}, factor, mean) : normalized(program, x, axes, mean, factor, {});
}

CppValue layer_normalization(CppProgram& program, const LayerNormalization& layer, const CppValue& x) {
  const Index n = x.shape.sub(x.shape.rank() - static_cast<Index>(layer.axis.size())).size();
  const std::string gain = array_if(program, layer.scale, "gamma", layer.gamma),
                    shift = array_if(program, layer.center, "beta", layer.beta);
  const CppValue y = program.make(x.shape);
  program.call("normalize_rows", fmt::format("{}, {}", x.shape.size() / n, n), {&x, 1},
               fmt::format("{}, {}, {}", gain, shift, program.number("epsilon", layer.epsilon)), y);
  return y;
}

/// (x w + bias - mean) factor + beta = x (w factor) + (bias - mean) factor + beta; the outputs are the last axis.
template <class L>
std::optional<AnyLayer> with_normalization(const AnyLayer& any, const BatchNormalization& next) {
  const auto* const from = any.as<L>();
  if (from == nullptr || !from->activation.is(linear)) return std::nullopt;
  L layer = *from;
  const std::vector<Real> factors = factors_of(next);
  const Index outputs = next.moving_mean.value.size();
  for (Index i = 0; i < layer.kernel.value.size(); ++i) {
    layer.kernel.value[i] *= factors[static_cast<std::size_t>(i % outputs)];
  }
  Tensor bias(Shape{outputs});
  for (Index i = 0; i < outputs; ++i) {
    const Real before = (layer.use_bias ? layer.bias.value[i] : 0) - next.moving_mean.value[i];
    bias[i] = before * factors[static_cast<std::size_t>(i)] + (next.center ? next.beta.value[i] : 0);
  }
  layer.use_bias = true;
  layer.bias.value = std::move(bias);
  return AnyLayer(any.name(), std::move(layer));
}

}  // namespace

std::optional<AnyLayer> folded(const AnyLayer& layer, const AnyLayer& next, Index rank) {
  const auto* const normalization = next.as<BatchNormalization>();
  if (normalization == nullptr || (normalization->axis != -1 && normalization->axis != rank)) return std::nullopt;
  if (auto made = with_normalization<Dense>(layer, *normalization)) return made;
  if (auto made = with_normalization<Conv1D>(layer, *normalization)) return made;
  if (auto made = with_normalization<Conv2D>(layer, *normalization)) return made;
  return with_normalization<DepthwiseConv2D>(layer, *normalization);
}

std::optional<CppValue> write_normalization(CppProgram& program, const AnyLayer& any, const CppValue& x) {
  if (const auto* layer = any.as<BatchNormalization>()) return batch_normalization(program, *layer, x);
  if (const auto* layer = any.as<Normalization>()) return normalization(program, *layer, x);
  if (const auto* layer = any.as<LayerNormalization>()) return layer_normalization(program, *layer, x);
  return std::nullopt;
}

}  // namespace cornu::detail
