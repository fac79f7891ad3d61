#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cornu/datasets/csv/encoding.h"
#include "cornu/models/sequential.h"
#include "cornu/tool/samples.h"

namespace cornu::tool {

/// A model loaded for prediction: a Cornu model, or an ONNX graph.
struct Network {
  Sequential model;                        ///< an ONNX graph is a single layer
  std::vector<std::string> class_names{};  ///< from the ONNX file or the CSV encoding, if given there
  std::string loss{};                      ///< the type of the loss of a compiled Cornu model
  Logits logits = Logits::none;            ///< how to turn outputs into probabilities, according to the loss
  std::optional<Index> batch{};            ///< the fixed batch size of an ONNX graph, if it has one

  Index batch_size() const { return batch.value_or(32); }
  /// Null if the model has no CSV encoding.
  const CsvEncoding* encoding() const { return model.has_csv_encoding() ? &model.csv_encoding() : nullptr; }
};

/// Loads a Cornu model. Throws FormatError like Sequential::load, and for a file with weights only.
Sequential load_model(const SafetensorsFile& file, const LoadOptions& options);

/// Throws FileError and FormatError like Sequential::load and onnx::load, and FormatError if the file is not a model.
Network load_network(const std::string& path, const LoadOptions& options);

/// The outputs for the samples. A model that is not built yet is built for the samples' shape first.
Tensor predict(Network& network, const Samples& samples);

/// True if the outputs are class probabilities: the model ends in a softmax.
bool is_classifier(const Network& network);

/// The name of a class, or its index if it has none.
std::string class_name(const Network& network, Index label);

}  // namespace cornu::tool
