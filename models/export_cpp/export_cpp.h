#pragma once

#include <string>

#include "cornu/core/shape.h"

namespace cornu {

class Sequential;

struct ExportCppOptions {
  /// Namespace of the predictor. It must not be a keyword or reserved. A name that the C library declares, such
  /// as `log`, gives a header that does not compile.
  std::string name = "net";
  /// Store kernels and embeddings as int8, from -127 to 127, with a scale for each output. This takes a quarter of the
  /// memory; outputs differ in the third digit.
  bool int8_weights = false;
  /// Also write `train_step`, which trains as train_on_batch does with the loss and optimizer of `compile`. All memory
  /// is in a struct whose size the header states. Losses: MeanSquaredError, CategoricalCrossentropy,
  /// SparseCategoricalCrossentropy. Optimizers: SGD, with and without momentum, and Adam, at a constant rate. Throws
  /// ValueError for other options of these; for regularizers and constraints; for layers that compute something else in
  /// training, such as Dropout, or add losses; and where a gradient is needed of an op that has none in headers: pow,
  /// max, products with a right operand that is not a matrix, normalizations, recurrent ops, attention, users' ops.
  bool trainable = false;
  /// Write a struct that computes one time step after the other, as Stream does (models/streaming/stream.h), instead of
  /// `predict`. Throws ValueError as Stream does, and with `trainable`.
  bool streaming = false;
  Index attention_window = 0;  ///< of the stream: steps that causal attention remembers; 0: those of the model's input
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
/// and, if trainable,
///
///     constexpr std::size_t target_size, parameter_count;
///     struct Trainer;                                                         // weights, gradients, optimizer's state
///     void reset(Trainer& trainer);                                           // before the first step
///     float train_step(const float* input, const float* target, Trainer& trainer);  // a step; returns the loss
///     float train_step(const float* input, const float* target, std::size_t count, Trainer& trainer);  // of a batch
///     void predict(const float* input, float* output, const float* weights, Workspace& workspace);
///
/// or, if streaming,
///
///     constexpr std::size_t input_size, output_size, state_size, latency;     // elements of a step; steps
///     struct Stream {
///       float state[...];                                                     // of earlier steps: plain numbers
///       void reset();                                                         // called by the constructor
///       void step(const float* input, float* output);                         // one step
///     };
///
/// train_step changes nothing if there are no samples or the loss is not finite. A label that is no class makes it NaN.
/// `trainer.weights` can be stored and restored, and `trainer.learning_rate` be changed.
///
/// Values are float; images are (height, width, channels); several inputs (Inputs) are packed into one. An Embedding
/// uses the nearest row for an index out of range. The header is written from the ops of the model (trace.h), so that
/// users' layers are exported, too; a user's own op needs a row (register_cpp_op in op_writer.h).
/// Throws StateError unless the model is built. Throws ValueError, naming layer and op, for an op without a row, for
/// samples that depend on each other, for weights and options that are not finite as floats, and as trace(model).
/// Throws ValueError for a name that is not an identifier, or is a keyword or reserved.
std::string to_cpp(const Sequential& model, const ExportCppOptions& options = {});

}  // namespace cornu
