#pragma once

#include <string>

#include "cornu/core/compiler.h"

namespace cornu {

class Sequential;

struct ExportCppOptions {
  /// Namespace of the predictor. It must not be a keyword or reserved. A name that the C library declares, such
  /// as `log`, gives a header that does not compile.
  std::string name = "net";
  /// Store kernels and embeddings as int8, from -127 to 127, with a scale for each output. This takes a quarter of the
  /// memory; outputs differ in the third digit.
  bool int8_weights = false;
};

/// Returns a C++17 header that predicts as the model does. It needs only standard headers, no heap and no
/// exceptions; weights are constexpr and compilers vectorise the loops. It declares
///
///     namespace net {
///     constexpr std::size_t input_size, output_size;                          // elements per sample
///     struct Workspace;                                                       // scratch memory of one prediction
///     void predict(const float* input, float* output, Workspace& workspace);
///     void predict(const float* input, float* output);                        // with the workspace on the stack
///     void predict(const float* input, float* output, std::size_t count, Workspace& workspace);  // several samples
///     }
///
/// Values are float; images are (height, width, channels); several inputs (Inputs) are packed into one. An Embedding
/// uses the nearest row for an index out of range. The header is written from the ops of the model (trace.h), so that
/// users' layers are exported, too; a user's own op needs a row (register_cpp_op in op_writer.h).
/// Throws StateError unless the model is built. Throws ValueError, naming layer and op, for an op without a row, for
/// samples that depend on each other, for weights and options that are not finite as floats, and as trace(model).
/// Throws ValueError for a name that is not an identifier, or is a keyword or reserved.
std::string to_cpp(const Sequential& model, const ExportCppOptions& options = {});

}  // namespace cornu
