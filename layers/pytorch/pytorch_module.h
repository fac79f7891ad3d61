#pragma once

#include <initializer_list>
#include <optional>
#include <vector>

#include "cornu/layers/pytorch/stored_tensor.h"

namespace cornu {

namespace detail {

/// Shape (channels last) of the image or sequence that a vector was flattened from, if PyTorch flattens it channels
/// first.
using ImageOrder = std::optional<Shape>;

}  // namespace detail

/// The tensors in the state_dict of the PyTorch module that is equivalent to a layer (torch/nn/modules: the
/// documentation of each module's variables). A layer's `void pytorch(PyTorchModule& module)` adds them.
class PyTorchModule {
 public:
  using Use = detail::StoredTensor::Use;
  using Axes = std::vector<detail::Piece::Axis>;

  /// The orders of the layer's input and output features.
  PyTorchModule(const detail::ImageOrder& in_order, const detail::ImageOrder& out_order)
      : in(in_order), out(out_order) {}

  const detail::ImageOrder in, out;
  std::vector<detail::StoredTensor> tensors{};

  void add(const char* name, const Shape& shape, std::vector<detail::Piece> pieces) {
    tensors.push_back({name, shape, std::move(pieces)});
  }
  void add(const char* name, Parameter& parameter) { add(name, parameter.shape(), {{&parameter}}); }
  /// A parameter with its axes in this order.
  void add(const char* name, Parameter& parameter, std::initializer_list<Index> axes);
  /// An (in, out) kernel as (out, in), the features in PyTorch's order.
  void add_transposed(const char* name, Parameter& kernel);
  /// A parameter with one element per feature, in PyTorch's order of the features.
  void add_features(const char* name, Parameter& parameter, const detail::ImageOrder& order);
  /// Weight and bias of a normalization of n features. PyTorch's modules have both or neither, so a missing one (null)
  /// is stored as a constant.
  void add_scale_and_shift(Parameter* scale, Parameter* shift, Index n);
  /// A tensor without a parameter in the layer.
  void add_special(const char* name, const Shape& shape, Use use, Real constant = 0) {
    tensors.push_back({name, shape, {}, use, constant});
  }
};

}  // namespace cornu
