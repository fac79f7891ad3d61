#pragma once

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

}  // namespace cornu::testing
