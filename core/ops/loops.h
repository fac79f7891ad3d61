#pragma once

#include <string_view>

#include "cornu/core/kernels/sequence_steps.h"

/// The loops of ops without a tape, for streams.
namespace cornu::detail {

/// The loop of an op of one value without options, by its name; nullptr if there is none.
PointwiseLoop pointwise_loop(std::string_view op);
/// The loop of an activation, by its name in files.
PointwiseLoop activation_loop(std::string_view name);
PointwiseLoop elementary_loop(std::string_view op);
PointwiseLoop more_pointwise_loop(std::string_view op);
PointwiseLoop more_activation_loop(std::string_view name);

/// y[r, j] = f(a[r, j], b[r, j]) for rows of `width` elements. If an operand repeats, it is one row. y may be a or b.
using BinaryLoop = void (*)(const Real* a, bool a_repeats, const Real* b, bool b_repeats, Index rows, Index width,
                            Real* y);
/// The loop of an op of two values; nullptr if there is none.
BinaryLoop binary_loop(std::string_view op);
BinaryLoop comparison_loop(std::string_view op);

}  // namespace cornu::detail
