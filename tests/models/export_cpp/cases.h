#pragma once

#include <string>
#include <vector>

#include "cornu/models/sequential.h"

namespace cornu::testing {

/// A model to be exported, samples for it, and how far its predictor may be from it.
struct ExportCppCase {
  std::string name;  // the predictor's namespace
  Sequential model;
  Tensor x;
  bool int8_weights = false;
};

/// Between them they have every layer that there is, with its options; their weights are random numbers.
std::vector<ExportCppCase> export_cpp_cases();

}  // namespace cornu::testing
