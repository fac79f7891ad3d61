#pragma once

#include "cornu/core/parameter.h"
#include "cornu/layers/build_checks.h"
#include "cornu/layers/new_parameter.h"

/// What the builds of layers with a kernel and a bias share. The options are named as in Dense.
namespace cornu::detail {

template <class L>
void require_kernel_initializers(std::string_view name, const L& layer) {
  require_initializers(
      name, {{"kernel_initializer", layer.kernel_initializer}, {"bias_initializer", layer.bias_initializer}});
}

/// Creates the kernel and, with `use_bias`, a bias (units). If an initializer throws, the layer is unchanged.
template <class L>
void create_kernel_and_bias(L& layer, const Shape& kernel, Index units, Rng& rng) {
  create_parameters(
      {{layer.kernel, kernel, layer.kernel_initializer, layer.kernel_regularizer, layer.kernel_constraint},
       {layer.bias, shape_if(layer.use_bias, {units}), layer.bias_initializer, layer.bias_regularizer,
        layer.bias_constraint}},
      rng);
}

/// The parameters of a layer with a kernel and, with `use_bias`, a bias.
template <class L>
NamedParameters kernel_and_bias(L& layer) {
  if (!layer.use_bias) return {{"kernel", &layer.kernel}};
  return {{"kernel", &layer.kernel}, {"bias", &layer.bias}};
}

}  // namespace cornu::detail
