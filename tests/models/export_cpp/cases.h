#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cornu/models/sequential.h"

namespace cornu::testing {

/// A model to export, samples for it, and the tolerance of its predictor.
struct ExportCppCase {
  std::string name;  // the predictor's namespace
  Sequential model;
  Tensor x;
  bool int8_weights = false;
};

/// The cases contain every layer with its options, and random weights.
std::vector<ExportCppCase> export_cpp_cases();
/// Of ops that no layer needs: tests/support/indexing_layers.h.
std::vector<ExportCppCase> indexing_cpp_cases();
/// Layers of a user, which are registered nowhere, and an op of a user, "soft_sign", which is registered for export.
std::vector<ExportCppCase> users_cpp_cases();
/// Models of random ops.
std::vector<ExportCppCase> random_cpp_cases(std::uint64_t first, std::uint64_t count);

}  // namespace cornu::testing
