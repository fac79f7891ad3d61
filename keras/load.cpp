#include "cornu/keras/load.h"

#include "cornu/core/memory_limit.h"
#include "cornu/core/text/listed.h"
#include "cornu/core/text/naming.h"
#include "cornu/core/warning.h"
#include "cornu/formats/file_bytes.h"
#include "cornu/formats/json.h"
#include "cornu/keras/archive.h"
#include "cornu/keras/compile_reader.h"
#include "cornu/keras/sequential.h"
#include "cornu/keras/weights.h"

namespace cornu::keras {

namespace {

/// Memory limit for building the model of a file: see Sequential::load.
std::size_t memory_for(const NamedTensors& file) {
  std::size_t bytes = std::size_t{1} << 20;
  for (const RawTensor& tensor : file.tensors()) {
    bytes += 4 * tensor.bytes.size() / static_cast<std::size_t>(size_of(tensor.dtype)) * sizeof(Real);
  }
  return bytes;
}

/// JSON in an attribute of the root of an old file; null if there is none.
Json attribute(const detail::Hdf5File& file, const char* name) {
  const auto* const texts = file.texts("", name);
  return texts == nullptr || texts->size() != 1 ? Json() : parse_json(texts->front());
}

void compile(Sequential& model, const Json& json, const std::string& file) {
  detail::Compiled compiled = detail::read_compile(json);
  if (!compiled.options) {
    return cornu::detail::warn(message("{}: the model is not compiled, because Cornu does not have: {}", file,
                                       cornu::detail::listed(compiled.unknown)));
  }
  model.compile(*std::move(compiled.options));
}

}  // namespace

Sequential parse(std::span<const std::byte> bytes, const std::string& name, const LoadOptions& options) {
  const detail::Parts parts = cornu::detail::naming(name, [&] { return detail::parts_of(bytes); });
  const detail::Hdf5File weights(parts.weights, name);
  return cornu::detail::naming(name, [&] {
    const Json json = parts.config ? parse_json(*parts.config) : attribute(weights, "model_config");
    require<FormatError>(!json.is_null(),
                         "weights without a model; keras::load_weights reads them into a model built in C++");
    const cornu::detail::MemoryLimit limit(memory_for(weights.content()), options.pass_memory);
    detail::Lacks lacks;
    Sequential model = detail::read_model(json, lacks);
    detail::read_weights(weights, model, true);
    if (!lacks.notes().empty()) cornu::detail::warn(name + ": " + lacks.notes());
    const Json* const own = json.find("compile_config");
    const Json compiled = parts.config ? (own == nullptr ? Json() : *own) : attribute(weights, "training_config");
    const bool has_loss = compiled.find("loss") != nullptr && !compiled.find("loss")->is_null();
    if (options.compile && has_loss) compile(model, compiled, name);
    return model;
  });
}

Sequential load(const std::string& file, const LoadOptions& options) {
  const FileBytes content(file, true);
  return parse(content.bytes(), file, options);
}

WeightsReport load_weights(Sequential& model, const std::string& file, const LoadWeightsOptions& options) {
  const FileBytes content(file, true);
  const detail::Parts parts = cornu::detail::naming(file, [&] { return detail::parts_of(content.bytes()); });
  const detail::Hdf5File weights(parts.weights, file);
  return cornu::detail::naming(file, [&] { return detail::read_weights(weights, model, options.strict); });
}

}  // namespace cornu::keras
