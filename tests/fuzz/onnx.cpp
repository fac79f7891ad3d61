#include <map>
#include <string>

#include "cornu/core/memory_limit.h"
#include "cornu/onnx/description.h"
#include "cornu/onnx/model.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

/// Runs the model with ones for every input; free dimensions are 2.
void run(const onnx::Model& model) {
  const detail::MemoryLimit limit(std::size_t{16} << 20, std::size_t{16} << 20);
  std::map<std::string, Tensor> inputs;
  for (const onnx::Port& port : model.inputs()) {
    std::vector<Index> dimensions = port.shape.value_or(std::vector<Index>{2});
    for (Index& dimension : dimensions) dimension = dimension < 0 ? 2 : dimension;
    const Shape shape{std::span<const Index>(dimensions)};
    if (shape.size() > 4096) return;
    inputs.emplace(port.name, Tensor::full(shape, 1));
  }
  model.run(inputs);
}

}  // namespace

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // A model that cannot run can still be described.
  fuzz::reads(fuzz::most_memory(size, Index{17} << 20), [&] { onnx::describe(bytes, "file"); });
  std::optional<onnx::Model> model;
  // Some parts take up to 16 megabytes, though they are small in the file.
  if (!fuzz::reads(fuzz::most_memory(size, Index{17} << 20), [&] { model = onnx::parse(bytes); })) return 0;
  try {
    run(*model);
  } catch (const Error&) {
  }
  return 0;
}
