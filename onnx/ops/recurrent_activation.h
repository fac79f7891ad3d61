#pragma once

#include <array>
#include <string_view>

#include "cornu/onnx/call.h"

/// The activations of ONNX's recurrent ops.
namespace cornu::onnx::detail {

/// A function of the list in Operators.md, with its numbers. clip: the least and most that it is given; 0: no limit.
struct RnnActivation {
  std::string_view name;
  double alpha = 0, beta = 0, clip = 0;

  Var operator()(Var x) const;
};

/// Up to three for each direction: of the gates, of the new state, and of the cell.
using RnnActivations = std::array<RnnActivation, 3>;

/// Those of direction d, from the attributes activations, activation_alpha, activation_beta and clip. defaults: their
/// names; the last ones are empty if there are fewer than three. Throws FormatError for an unknown name, and for
/// another number of names.
RnnActivations activations_of(const Call& call, Index d, Index directions,
                              const std::array<std::string_view, 3>& defaults);
/// True if they are the defaults, without a clip, for which there are fused ops.
bool are_usual(const RnnActivations& activations, const std::array<std::string_view, 3>& defaults);

}  // namespace cornu::onnx::detail
