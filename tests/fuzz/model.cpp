#include <sstream>
#include <string>

#include "cornu/core/memory_limit.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

/// A file with this description and tensors of zeros, each a line of its name and its dimensions.
std::vector<std::byte> file_of(std::string description, const std::string& lines) {
  static const std::vector<std::byte> zeros(1 << 14);
  std::vector<RawTensor> tensors;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    RawTensor tensor;
    words >> tensor.name;
    for (Index dimension = 0; words >> dimension;) tensor.shape.push_back(dimension);
    const Index bytes = byte_count(tensor.shape, tensor.dtype);
    if (bytes <= std::ssize(zeros)) tensor.bytes = std::span(zeros).first(static_cast<std::size_t>(bytes));
    tensors.push_back(std::move(tensor));
  }
  return safetensors_bytes(tensors, {{"cornu.model", std::move(description)}});
}

/// One sample through the model.
void predict(const Sequential& model) {
  const std::optional<Shape> sample = model.input_shape();
  if (!sample || sample->size() > 4096) return;
  const detail::MemoryLimit limit(std::size_t{16} << 20, std::size_t{16} << 20);
  try {
    model.predict(Tensor(sample->batched(1)));
  } catch (const Error&) {
  }
}

}  // namespace

/// A file whose description of a model ends with a zero byte, after which its tensors are told; without one, a
/// file as it is.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\0');
  std::vector<std::byte> file;
  const auto bytes = std::as_bytes(std::span(data, size));
  try {
    if (size > 7 && data[7] == 0) {
      file.assign(bytes.begin(), bytes.end());
    } else {
      file = file_of(text.substr(0, end), end == std::string::npos ? "" : text.substr(end + 1));
    }
  } catch (const Error&) {
    return 0;
  }
  // 16 megabytes and four times the file are what a model may take, and a pass one.
  const Index limit = fuzz::most_memory(2 * file.size(), Index{20} << 20);
  Sequential model;
  const auto load = [&] { model = Sequential::load(SafetensorsFile(file, "file"), {.pass_memory = 1 << 20}); };
  if (fuzz::reads(limit, load)) predict(model);
  return 0;
}
