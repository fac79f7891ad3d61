#include "cornu/tool/network.h"

#include "cornu/core/error.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/printable.h"
#include "cornu/models/sequential_state.h"
#include "cornu/optim/registry.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/file_kind.h"
#include "cornu/tool/keras_files.h"
#include "cornu/tool/onnx_files.h"

namespace cornu::tool {

namespace {

/// The type of the loss, which the file stores but a model does not return.
std::string loss_of(const SafetensorsFile& file) {
  const Json description = detail::described_in(file.content(), detail::model_metadata);
  const Json* const type = description.at("compile").at("loss").find("class_name");
  const auto* name = type != nullptr ? type->as<std::string>() : nullptr;
  return name != nullptr ? *name : "";
}

std::vector<NetworkInput> inputs_of(const Sequential& model) {
  const std::vector<Shape>& samples = cornu::detail::SequentialState::of(model).input_parts;
  if (samples.size() < 2) return {{"input", model.input_shape()}};
  std::vector<NetworkInput> inputs;
  for (const Shape& part : samples) inputs.push_back({message("input_{}", inputs.size() + 1), part});
  return inputs;
}

/// Keras's model, with the loss that it was compiled with.
Network load_keras_network(const std::string& path) {
  Network network{.model = load_keras(path, {})};
  network.inputs = inputs_of(network.model);
  if (!network.model.compiled()) return network;
  const AnyLoss& loss = cornu::detail::SequentialState::of(network.model).compiled->loss;
  Json json;
  to_json(json, loss);
  network.loss = value_of<std::string>(json.at("class_name"));
  network.logits = loss.logits();
  return network;
}

/// Logits::none for a loss that only another program has registered.
Logits logits_of(const SafetensorsFile& file) {
  const Json description = detail::described_in(file.content(), detail::model_metadata);
  const Json* const compile = description.find("compile");
  if (compile == nullptr) return Logits::none;
  try {
    return value_of<AnyLoss>(compile->at("loss")).logits();
  } catch (const UnregisteredError&) {
    return Logits::none;
  }
}

}  // namespace

void fail_without_model(const std::string& path) {
  throw FormatError(
      message("{}: weights without a model; 'cornu convert --model MODEL {} OUT' loads them into a model", path, path));
}

Sequential load_model(const SafetensorsFile& file, const LoadOptions& options) {
  if (!file.metadata().contains(detail::model_metadata)) fail_without_model(file.path());
  return Sequential::load(file, options);
}

Network load_network(const std::string& path, const LoadOptions& options, const std::string& output) {
  const bool of_keras = is_keras(path);
  const FileKind kind = of_keras ? FileKind::keras : kind_of_file(path);
  if (kind == FileKind::onnx) return load_onnx(path, output);
  require<UsageError>(output.empty(), "--output-name {}: {}: only the outputs of an ONNX model have names", output,
                      path);
  if (is_keras_weights(path)) fail_without_model(path);
  if (of_keras) return load_keras_network(path);
  require<FormatError>(kind != FileKind::gzip, "{}: {}", path, cornu::detail::described(kind));
  if (kind == FileKind::pytorch) fail_without_model(path);
  require<FormatError>(kind == FileKind::safetensors, "{}: {}; a model must be a safetensors, Keras or ONNX file", path,
                       name_of(kind));
  const SafetensorsFile file(path);
  Network network{.model = load_model(file, options)};
  network.inputs = inputs_of(network.model);
  if (network.model.compiled()) network.loss = loss_of(file);
  network.logits = logits_of(file);
  if (const CsvEncoding* const encoding = network.encoding()) network.class_names = encoding->class_names();
  return network;
}

SampleSet read_samples(const Network& network, const std::map<std::string, std::string>& files,
                       const ScaleOptions& options) {
  std::vector<NamedSamples> all;
  for (const NetworkInput& input : network.inputs) {
    const std::string& file = files.at(input.name);
    all.push_back({file, read_samples(file, input.shape, options, network.encoding())});
  }
  return SampleSet(std::move(all));
}

void build_for(Network& network, const SampleSet& samples) {
  if (network.model_for) network.model = network.model_for(samples.shapes());
  if (!network.model.built()) network.model.build(samples.feature_shape());
}

Tensor predict(Network& network, const SampleSet& samples) {
  return network.model.predict(samples, {.batch_size = network.batch_size()});
}

bool is_classifier(const Network& network) {
  Tape tape(Mode::inference);
  const auto& state = cornu::detail::SequentialState::of(network.model);
  const Tensor samples(state.shapes.front().batched(network.batch.size));
  const Var output = network.model.forward(tape.input(samples));
  return output.shape().rank() == 2 && output.shape()[1] > 1 && output.softmax_logits();
}

std::string class_name(const Network& network, Index label) {
  const auto i = static_cast<std::size_t>(label);
  return i < network.class_names.size() ? detail::printable(network.class_names[i]) : std::to_string(label);
}

}  // namespace cornu::tool
