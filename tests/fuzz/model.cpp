#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <sstream>
#include <string>

#include "cornu/core/memory_limit.h"
#include "cornu/cornu.h"
#include "cornu/formats/json.h"
#include "cornu/layers/registry.h"
#include "cornu/tests/fuzz/fuzz.h"
#include "cornu/tests/support/every_layer.h"

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

/// A file with this description and tensors of zeros; each line has a name and dimensions. Built without
/// safetensors_bytes, which checks its output by reading it and would take most of the time.
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

Json to_json_of(const AnyLayer& layer) {
  Json json;
  to_json(json, layer);
  return json;
}

/// Layers of every kind as described in files, with their size options.
const std::vector<Json>& layers() {
  static const std::vector<Json> all = [] {
    std::vector<AnyLayer> layers{Inputs{{1}, {2}}};
    for (const testing::LayerRow& row : testing::every_layer()) layers.push_back(row.layer);
    std::vector<Json> result;
    for (const AnyLayer& layer : layers) {
      Json json, config = Json::Object{};
      const auto described = to_json_of(layer);
      for (const auto& [name, value] : *described.at("config").as<Json::Object>()) {
        const bool is_long =
            value.is_null() || value.as<Json::Object>() != nullptr || value.as<std::string>() != nullptr;
        if (!is_long) config.set(name, value);
      }
      json.set("class_name", described.at("class_name"));
      json.set("name", "l" + std::to_string(result.size()));
      json.set("config", std::move(config));
      result.push_back(std::move(json));
    }
    return result;
  }();
  return all;
}

void collect(Json& json, std::vector<Json*>& nodes) {
  nodes.push_back(&json);
  if (auto* const list = json.as<Json::Array>()) {
    for (Json& item : *list) collect(item, nodes);
  } else if (auto* const object = json.as<Json::Object>()) {
    for (auto& [name, item] : *object) collect(item, nodes);
  }
}

/// Makes one change to a description.
void change(Json& json, Rng& rng) {
  constexpr std::array<std::int64_t, 16> numbers{0,
                                                 1,
                                                 2,
                                                 3,
                                                 4,
                                                 7,
                                                 8,
                                                 64,
                                                 -1,
                                                 1000,
                                                 1 << 20,
                                                 std::int64_t{1} << 31,
                                                 std::int64_t{1} << 40,
                                                 std::int64_t{1} << 62,
                                                 std::numeric_limits<std::int64_t>::max(),
                                                 std::numeric_limits<std::int64_t>::min()};
  const auto below = [&](std::size_t n) { return static_cast<std::size_t>(rng.bits() % n); };
  std::vector<Json*> nodes;
  collect(json, nodes);
  Json& node = *nodes[below(nodes.size())];
  if (auto* const list = node.as<Json::Array>()) {
    const bool has_layers = list->empty() || list->front().find("class_name") != nullptr;
    const auto at = list->begin() + static_cast<Index>(below(list->size() + 1));
    if (at != list->end() && below(3) == 0) {
      list->erase(at);
    } else if (has_layers && below(4) != 0) {
      list->insert(at, layers()[below(layers().size())]);
    } else {
      list->insert(at, list->empty() ? Json(numbers[below(numbers.size())]) : Json(list->front()));
    }
  } else if (auto* const object = node.as<Json::Object>(); object != nullptr && !object->empty()) {
    object->erase(object->begin() + static_cast<Index>(below(object->size())));
  } else if (auto* const truth = node.as<bool>()) {
    *truth = !*truth;
  } else if (below(8) == 0) {
    const Json other = *nodes[below(nodes.size())];
    node = other;
  } else if (node.as<std::int64_t>() != nullptr) {
    node = numbers[below(numbers.size())];
  } else if (auto* const text = node.as<std::string>(); text != nullptr && !text->empty()) {
    *text += static_cast<char>('a' + below(3));
  }
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

/// The input is a description of a model, a zero byte and a list of tensors; without a zero byte, it is a whole file.
int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = text.find('\0');
  const bool whole = size > 7 && data[7] == 0;
  const std::string file =
      whole ? text : file_of(text.substr(0, end), end == std::string::npos ? "" : text.substr(end + 1));
  // A model may take a megabyte and four times the file; a pass as much again.
  const Index limit = fuzz::most_memory(2 * file.size(), Index{4} << 20);
  Sequential model;
  const auto load = [&] {
    model = Sequential::load(SafetensorsFile(std::as_bytes(std::span(file)), "file"), {.pass_memory = 1 << 20});
  };
  if (fuzz::reads(limit, load)) predict(model);
  return 0;
}

/// libFuzzer's own mutations of a description are rarely JSON: most mutations here change a number, an option or a
/// layer.
extern "C" std::size_t LLVMFuzzerMutate(unsigned char* data, std::size_t size, std::size_t most);
extern "C" std::size_t LLVMFuzzerCustomMutator(unsigned char* data, std::size_t size, std::size_t most, unsigned seed) {
  Rng rng(seed);
  const std::string text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = std::min(text.find('\0'), size);
  if (rng.bits() % 4 != 0 && end > 0 && text[0] == '{') {
    try {
      Json json = parse_json(text.substr(0, end));
      for (std::uint64_t changes = 1 + rng.bits() % 3; changes > 0; --changes) change(json, rng);
      const std::string changed = to_string(json) + text.substr(end);
      if (changed.size() <= most) {
        std::copy(changed.begin(), changed.end(), data);
        return changed.size();
      }
    } catch (const Error&) {
    }
  }
  return LLVMFuzzerMutate(data, size, most);
}
