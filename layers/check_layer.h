#pragma once

#include <concepts>

#include "cornu/core/gradcheck.h"
#include "cornu/layers/any_layer.h"
#include "cornu/layers/inputs.h"

namespace cornu {

struct LayerCheckOptions {
  GradientCheckOptions gradients{};
  Index batch = 3;
  int threads = 4;
  /// The batch to check with, (batch, input shape...). If empty, it is drawn from the standard normal distribution.
  Tensor input{};
  /// Whether to check the gradient of the input. Set to false if its elements are indices.
  bool input_gradient = true;
};

namespace detail {

CheckReport check_layer(AnyLayer layer, const Shape& input, const LayerCheckOptions& options);
CheckReport check_layer(AnyLayer layer, const Inputs& inputs, const LayerCheckOptions& options);

}  // namespace detail

/// Checks a layer in one call. `input` is the shape of a sample, without the batch axis; a layer of several inputs
/// takes `Inputs{{3}, {4}}`. A copy of the layer is built and checked:
/// - `build` returns the shape of what `forward` returns;
/// - two runs with one seed give the same bits and change no parameter;
/// - `parameters` lists every trainable parameter that `forward` reads;
/// - in training mode, the gradients of the input and of each trainable parameter, and optimizer steps with them, are
///   correct, as in check_gradients;
/// - every other parameter (state, such as a moving mean) is read or updated;
/// - a copy shares no parameter with the original;
/// - several threads that predict with one const layer get the same bits as one thread alone.
/// Throws ShapeError for a batch that is not (batch, input shape...). Exceptions of the layer propagate; Cornu's are
/// prefixed with the layer's name.
template <class L>
CheckReport check_layer(const L& layer, const Shape& input, const LayerCheckOptions& options = {}) {
  return detail::check_layer(AnyLayer(layer), input, options);
}
template <class L, std::same_as<Inputs> I>
CheckReport check_layer(const L& layer, const I& inputs, const LayerCheckOptions& options = {}) {
  return detail::check_layer(AnyLayer(layer), inputs, options);
}

}  // namespace cornu
