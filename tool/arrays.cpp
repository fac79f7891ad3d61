#include "cornu/tool/arrays.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>

#include "cornu/core/error.h"

namespace cornu::tool {

namespace {

/// The types in the order of IdxData.
constexpr std::array idx_types{Dtype::u8, Dtype::i8, Dtype::i16, Dtype::i32, Dtype::f32, Dtype::f64};

}  // namespace

RawTensor raw_tensor(std::string name, const IdxArray& array) {
  const auto bytes = std::visit([](const auto& numbers) { return std::as_bytes(std::span(numbers)); }, array.data);
  return {.name = std::move(name), .dtype = idx_types[array.data.index()], .shape = array.dimensions, .bytes = bytes};
}

std::string stem_of(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).filename();
  if (name.extension() == ".gz") name.replace_extension();
  return name.stem().string();
}

Arrays read_arrays(const std::string& path, FileKind kind) {
  Arrays result;
  switch (kind) {
    case FileKind::safetensors:
      result.list = result.owner.emplace<SafetensorsFile>(path).tensors();
      result.unread = std::get<SafetensorsFile>(result.owner).unread();
      break;
    case FileKind::npy:
      result.list = {result.owner.emplace<NpyFile>(path).array()};
      break;
    case FileKind::npz:
      result.list = result.owner.emplace<NpzFile>(path).arrays();
      result.unread = std::get<NpzFile>(result.owner).unread();
      break;
    case FileKind::idx:
      result.list = {raw_tensor(stem_of(path), result.owner.emplace<IdxArray>(read_idx(path)))};
      break;
    case FileKind::onnx: {
      const OnnxWeights& weights = result.owner.emplace<OnnxWeights>(read_onnx_weights(path));
      for (const auto& [name, tensor] : weights.list) result.list.push_back(raw_tensor(name, tensor));
      break;
    }
    default:
      throw FormatError(message("{}: {}, in which there are no arrays", path, name_of(kind)));
  }
  return result;
}

}  // namespace cornu::tool
