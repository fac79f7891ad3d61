#include "cornu/formats/tensor_file.h"

#include <utility>

namespace cornu::detail {

namespace {

/// The formats of weights; safetensors' reader names any other kind in its error.
FileKind kind_of_tensors(std::span<const std::byte> bytes) {
  return file_kind(bytes) == FileKind::pytorch ? FileKind::pytorch : FileKind::safetensors;
}

}  // namespace

TensorFile::TensorFile(const std::string& path)
    : file_(std::make_unique<const FileBytes>(path, true)),
      kind_(kind_of_tensors(file_->bytes())),
      reader_(open(kind_, file_->bytes(), path)) {}

TensorFile::TensorFile(std::span<const std::byte> bytes, std::string name)
    : kind_(kind_of_tensors(bytes)), reader_(open(kind_, bytes, std::move(name))) {}

TensorFile::Reader TensorFile::open(FileKind kind, std::span<const std::byte> bytes, std::string name) {
  if (kind == FileKind::pytorch) return PyTorchFile(bytes, std::move(name));
  return SafetensorsFile(bytes, std::move(name));
}

const NamedTensors& TensorFile::content() const {
  return std::visit([](const auto& reader) -> const NamedTensors& { return reader.content(); }, reader_);
}

}  // namespace cornu::detail
