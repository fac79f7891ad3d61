#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cornu/datasets/csv/encoding.h"
#include "cornu/models/sequential.h"
#include "cornu/tool/graph_batch.h"
#include "cornu/tool/sample_set.h"

namespace cornu::tool {

/// An input of a model. A Cornu model's are called as `onnx::save` calls them: input, or input_1, input_2 and so on.
struct NetworkInput {
  std::string name;
  std::optional<Shape> shape;  ///< of a sample; empty if not all of its axes are known
};

/// A model loaded for prediction: a Cornu model, or an ONNX graph.
struct Network {
  Sequential model;                        ///< an ONNX graph is a single layer
  std::vector<std::string> class_names{};  ///< from the ONNX file or the CSV encoding, if given there
  std::string loss{};                      ///< the type of the loss of a compiled Cornu model
  Logits logits = Logits::none;            ///< how to turn outputs into probabilities, according to the loss
  std::vector<NetworkInput> inputs{};
  GraphBatch batch{};
  /// For an ONNX graph with several inputs: the model for samples of these shapes. `model` is empty until then.
  std::function<Sequential(const std::vector<Shape>&)> model_for{};

  Index batch_size() const { return batch.kind == GraphBatch::Kind::any ? 32 : batch.size; }
  /// Null if the model has no CSV encoding.
  const CsvEncoding* encoding() const { return model.has_csv_encoding() ? &model.csv_encoding() : nullptr; }
};

/// Loads a Cornu model. Throws FormatError like Sequential::load, and for a file with weights only.
Sequential load_model(const SafetensorsFile& file, const LoadOptions& options);

/// Throws the FormatError for a file of weights where a model is required, with the remedy.
[[noreturn]] void fail_without_model(const std::string& path);

/// Throws FileError and FormatError like Sequential::load and onnx::load, and FormatError if the file is not a model.
/// `output` names the output of an ONNX graph; the first one if it is empty. Throws UsageError, listing the outputs,
/// for a name that the model has not.
Network load_network(const std::string& path, const LoadOptions& options, const std::string& output = "");

/// Reads the files with the samples of a model's inputs. Throws like read_samples and SampleSet.
SampleSet read_samples(const Network& network, const std::map<std::string, std::string>& files,
                       const ScaleOptions& options);

/// Builds a model that is not built yet for the samples' shapes.
void build_for(Network& network, const SampleSet& samples);
/// The outputs for the samples, after build_for.
Tensor predict(Network& network, const SampleSet& samples);

/// True if the outputs are class probabilities: the built model ends in a softmax.
bool is_classifier(const Network& network);

/// The name of a class, or its index if it has none.
std::string class_name(const Network& network, Index label);

}  // namespace cornu::tool
