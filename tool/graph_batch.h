#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/shape.h"

namespace cornu::tool {

/// A declared shape: -1 for an open dimension; empty if the file declares none.
using DeclaredShape = std::optional<std::vector<Index>>;

/// How a graph takes samples.
struct GraphBatch {
  enum class Kind {
    any,    ///< the first axis of the inputs is open: any number of samples
    fixed,  ///< the first axis counts samples, and has a fixed length
    none,   ///< no axis counts samples, such as (4) -> (2): a pass takes one sample
  };
  Kind kind = Kind::any;
  Index size = 1;  ///< if fixed
};

/// Decides by the declared shapes. If the first axes are fixed, they count samples if all inputs have two axes or more,
/// and the output begins with the same length.
/// Returns nullopt if some inputs count samples and others do not.
std::optional<GraphBatch> batch_of(std::span<const DeclaredShape> inputs, const DeclaredShape& output);

/// "any size", "4 samples", "none: ...".
std::string text_of(const std::optional<GraphBatch>& batch);

}  // namespace cornu::tool
