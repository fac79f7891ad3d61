#include "cornu/layers/pytorch/pytorch_module.h"

namespace cornu {

namespace {

using StoredAxes = PyTorchModule::Axes;

/// The axes of n features with this stride, in PyTorch's order.
StoredAxes feature_axes(const detail::ImageOrder& order, Index n, Index stride) {
  if (!order) return {{n, stride}};
  const Index channels = (*order)[-1];
  StoredAxes result{{channels, stride}};
  for (Index axis = 0; axis + 1 < order->rank(); ++axis) {
    result.push_back({(*order)[axis], order->sub(axis + 1).size() * stride});
  }
  return result;
}

}  // namespace

detail::Piece detail::Piece::permuted(Parameter& parameter, std::span<const Index> lengths,
                                      std::span<const Index> order) {
  std::vector<Axis> axes(lengths.size());
  Index stride = 1;
  for (std::size_t i = lengths.size(); i-- > 0; stride *= lengths[i]) axes[i] = {lengths[i], stride};
  Piece result{&parameter};
  for (const Index axis : order) result.axes.push_back(axes[static_cast<std::size_t>(axis)]);
  return result;
}

void PyTorchModule::add(const char* name, Parameter& parameter, std::initializer_list<Index> axes) {
  const Shape& from = parameter.shape();
  std::vector<Index> lengths;
  for (const Index axis : axes) lengths.push_back(from[axis]);
  add(name, Shape(lengths), {detail::Piece::permuted(parameter, from.dimensions(), {axes.begin(), axes.size()})});
}

void PyTorchModule::add_transposed(const char* name, Parameter& kernel) {
  const Index rows = kernel.shape()[0], columns = kernel.shape()[1];
  StoredAxes axes = feature_axes(out, columns, 1);
  for (const detail::Piece::Axis& axis : feature_axes(in, rows, columns)) axes.push_back(axis);
  add(name, {columns, rows}, {{&kernel, 0, std::move(axes)}});
}

void PyTorchModule::add_features(const char* name, Parameter& parameter, const detail::ImageOrder& order) {
  add(name, parameter.shape(), {{&parameter, 0, feature_axes(order, parameter.value.size(), 1)}});
}

void PyTorchModule::add_scale_and_shift(Parameter* scale, Parameter* shift, Index n) {
  if (scale == nullptr && shift == nullptr) return;
  const auto add_one = [&](const char* name, Parameter* parameter, Real constant) {
    if (parameter != nullptr)
      add_features(name, *parameter, in);
    else
      add_special(name, {n}, Use::constant, constant);
  };
  add_one("weight", scale, 1);
  add_one("bias", shift, 0);
}

}  // namespace cornu
