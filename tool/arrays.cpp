#include "cornu/tool/arrays.h"

#include <filesystem>

#include "cornu/core/error.h"

namespace cornu::tool {

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
    case FileKind::pytorch: {
      const NamedTensors& tensors = result.owner.emplace<cornu::detail::TensorFile>(path).content();
      result.list = tensors.tensors();
      result.unread = tensors.unread();
      break;
    }
    case FileKind::npy:
      result.list = {result.owner.emplace<NpyFile>(path).array()};
      break;
    case FileKind::npz:
      result.list = result.owner.emplace<NpzFile>(path).arrays();
      result.unread = std::get<NpzFile>(result.owner).unread();
      break;
    case FileKind::idx:
    case FileKind::gzip:
      result.list = {raw_tensor(stem_of(path), result.owner.emplace<IdxArray>(read_idx(path)))};
      break;
    case FileKind::hdf5: {
      const KerasWeights& weights = result.owner.emplace<KerasWeights>(read_keras_weights(path));
      result.list = weights.list;
      result.unread = weights.unread;
      break;
    }
    case FileKind::onnx: {
      const OnnxWeights& weights = result.owner.emplace<OnnxWeights>(read_onnx_weights(path));
      for (const auto& [name, tensor] : weights.list) result.list.push_back(raw_tensor(name, tensor));
      break;
    }
    default:
      throw FormatError(message("{}: {}, which contains no arrays", path, name_of(kind)));
  }
  return result;
}

}  // namespace cornu::tool
