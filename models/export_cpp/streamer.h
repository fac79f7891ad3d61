#pragma once

#include <string>

#include "cornu/models/export_cpp/export_cpp.h"

namespace cornu::detail {

/// The header of a model that computes one time step after the other.
std::string cpp_stream(const Sequential& model, const ExportCppOptions& options);

}  // namespace cornu::detail
