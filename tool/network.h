#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cornu/datasets/csv/encoding.h"
#include "cornu/models/sequential.h"
#include "cornu/tool/samples.h"

namespace cornu::tool {

/// A model of a file, Cornu's own or ONNX's, to predict with.
struct Network {
  Sequential model;                        ///< an ONNX graph is its only layer
  std::vector<std::string> class_names{};  ///< of an ONNX file or an encoding that says them
  std::string loss{};                      ///< the type of the one that a model of Cornu is compiled with
  Logits logits = Logits::none;            ///< what turns its outputs into probabilities, by that loss
  std::optional<Index> batch{};            ///< how many samples an ONNX graph takes at once, if it is made for a number

  Index batch_size() const { return batch.value_or(32); }
  /// Null if the model carries none.
  const CsvEncoding* encoding() const { return model.has_csv_encoding() ? &model.csv_encoding() : nullptr; }
};

/// A model of Cornu. Throws FormatError as Sequential::load does, and for weights alone, saying what makes them one.
Sequential load_model(const SafetensorsFile& file, const LoadOptions& options);

/// Throws FileError and FormatError as Sequential::load and onnx::load do, and for a file that is no model.
Network load_network(const std::string& path, const LoadOptions& options);

/// The outputs for samples of the model's shape; a model that takes any is built for theirs.
Tensor predict(Network& network, const Samples& samples);

/// Whether the outputs are the probabilities of classes: the model ends in a softmax.
bool is_classifier(const Network& network);

/// The name of a class, or its number.
std::string class_name(const Network& network, Index label);

}  // namespace cornu::tool
