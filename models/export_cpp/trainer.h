#pragma once

#include <string>

#include "cornu/models/export_cpp/trace_writer.h"
#include "cornu/models/sequential.h"

/// The part of a trainable header that trains.
namespace cornu::detail {

/// The parameters that learn, in the order of the model. Throws ValueError if the header cannot train the model as fit
/// does: for no such parameter, regularizers, constraints, and layers that compute something else in training.
CppTrained trained_parameters(const Sequential& model);

struct CppTrainer {
  std::string about;         ///< lines of the opening comment
  std::string declarations;  ///< before the functions
  std::string functions;
  std::string initial;  ///< the array of the model's weights
};

/// Writes the training step of a compiled model for its loss and optimizer. The last op of the trace makes the output.
/// Throws ValueError for those that a header does not have, and for an op without a gradient; also what train_on_batch
/// throws for a loss that does not suit the output.
CppTrainer write_trainer(const Sequential& model, const Trace& trace, CppProgram& program, CppArrays& arrays,
                         const CppTrained& trained);

}  // namespace cornu::detail
