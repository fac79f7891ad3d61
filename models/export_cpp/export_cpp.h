#pragma once

#include <string>

#include "cornu/core/compiler.h"

namespace cornu {

class Sequential;

struct ExportCppOptions {
  /// The namespace of the predictor: no keyword, not reserved, and no function of the C library either, as `log` is.
  std::string name = "net";
  /// Kernels and embeddings as whole numbers from -127 to 127 with a factor for each output: a quarter of the memory,
  /// and outputs that differ in the third digit.
  bool int8_weights = false;
};

/// The model as the text of a C++17 header without any dependency, which needs no heap, no exceptions and no library of
/// mathematics but <cmath>: constexpr weights and plain loops that compilers vectorise. It has
///
///     namespace net {
///     constexpr std::size_t input_size, output_size;                       // numbers of one sample
///     struct Workspace;                                                    // what a prediction needs beside them
///     void predict(const float* input, float* output, Workspace& workspace);
///     void predict(const float* input, float* output);                     // the workspace on the stack
///     }
///
/// Numbers are float, images (height, width, channels). For a number without a row, an Embedding takes the nearest row.
/// Throws StateError for a model that is not built, ValueError, naming the layer, for a layer or an activation of one's
/// own, whose function is code that no text can be made of, for weights and options that are not finite as floats, and
/// for a name that is no namespace, a keyword, reserved, or one of the C library's maths or its commonest functions. A
/// rarer function's name is let through, and the compiler refuses the header where that function is declared.
std::string to_cpp(const Sequential& model, const ExportCppOptions& options = {});

}  // namespace cornu
