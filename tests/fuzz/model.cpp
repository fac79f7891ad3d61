#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>

#include "cornu/core/memory_limit.h"
#include "cornu/models/sequential.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

namespace {

void append_text(std::string& json, std::string_view text) {
  json += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  json += '"';
}

/// A file with this description and tensors of zeros, each a line of its name and its dimensions. Made by hand, as
/// safetensors_bytes reads what it has written, and most of the time would go into that.
std::string file_of(std::string_view description, const std::string& lines) {
  std::string header = R"({"__metadata__":{"cornu.model":)";
  append_text(header, description);
  header += '}';
  Index offset = 0;
  std::istringstream stream(lines);
  for (std::string line; std::getline(stream, line);) {
    std::istringstream words(line);
    std::string name, shape;
    words >> name;
    Index numbers = 1;
    for (Index dimension = 0; words >> dimension && dimension >= 0 && dimension < 1000 && shape.size() < 12;) {
      shape += (shape.empty() ? "" : ",") + std::to_string(dimension);
      numbers *= dimension;
    }
    if (offset + 4 * numbers > 1 << 14) break;
    header += ',';
    append_text(header, name);
    header += R"(:{"dtype":"F32","shape":[)" + shape + "],\"data_offsets\":[" + std::to_string(offset) + ',' +
              std::to_string(offset + 4 * numbers) + "]}";
    offset += 4 * numbers;
  }
  header += '}';
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(static_cast<std::size_t>(offset), '\0');
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
  const bool whole = size > 7 && data[7] == 0;
  const std::string file =
      whole ? text : file_of(text.substr(0, end), end == std::string::npos ? "" : text.substr(end + 1));
  // 16 megabytes and four times the file are what a model may take, and a pass one.
  const Index limit = fuzz::most_memory(2 * file.size(), Index{20} << 20);
  Sequential model;
  const auto load = [&] {
    model = Sequential::load(SafetensorsFile(std::as_bytes(std::span(file)), "file"), {.pass_memory = 1 << 20});
  };
  if (fuzz::reads(limit, load)) predict(model);
  return 0;
}
