#pragma once

#include <span>
#include <string>
#include <vector>

#include "cornu/core/parameter.h"

namespace cornu::detail {

/// Elements of a parameter in the order in which a file stores them.
struct Piece {
  struct Axis {
    Index length, stride;
  };
  Parameter* parameter;
  Index begin = 0;
  std::vector<Axis> axes{};  ///< the last one is contiguous in the file; empty: all elements in memory order

  /// Calls f(index of the element in the parameter), in the file's order.
  template <class F>
  void for_each(F f) const {
    if (axes.empty()) {
      for (Index i = 0; i < parameter->value.size(); ++i) f(i);
    } else {
      go_through(axes, begin, f);
    }
  }

  /// All elements of a parameter of shape `lengths`, with its axes in this order.
  static Piece permuted(Parameter& parameter, std::span<const Index> lengths, std::span<const Index> order);

 private:
  template <class F>
  static void go_through(std::span<const Axis> axes, Index at, F& f) {
    if (axes.empty()) return f(at);
    for (Index i = 0; i < axes[0].length; ++i) go_through(axes.subspan(1), at + i * axes[0].stride, f);
  }
};

/// A tensor in a file.
struct StoredTensor {
  enum class Use {
    numbers,   ///< values of parameters
    added,     ///< added to the values of the previous tensor when read, written as 0
    constant,  ///< one value repeated, without a parameter in the model; optional in a file
    ignored,   ///< a counter without an equivalent in the model; optional in a file
  };

  std::string name;
  Shape shape;
  std::vector<Piece> pieces{};  ///< concatenated
  Use use = Use::numbers;
  Real constant = 0;
  std::string layer{};  ///< path of the layer, if the name does not contain it

  /// True if the tensor is one parameter in memory order.
  bool is_whole() const { return use == Use::numbers && pieces.size() == 1 && pieces[0].axes.empty(); }
  std::string label() const { return layer.empty() ? name : name + " of " + layer; }
};

}  // namespace cornu::detail
