#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "cornu/formats/file_bytes.h"
#include "cornu/formats/file_kind.h"
#include "cornu/formats/named_tensors.h"
#include "cornu/formats/pytorch/pytorch_file.h"
#include "cornu/formats/safetensors.h"

namespace cornu::detail {

/// A file of named tensors in any format that Cornu reads weights from, recognised by its content.
class TensorFile {
 public:
  /// Throws FileError if the file cannot be read, and FormatError as the readers of the formats do, or for a file of
  /// another kind.
  explicit TensorFile(const std::string& path);
  /// The same for bytes in memory, which must outlive this object; `name` is the file's name in errors.
  TensorFile(std::span<const std::byte> bytes, std::string name);

  /// The format. FileKind::safetensors also for a file that safetensors' reader reads although its beginning is
  /// unusual.
  FileKind kind() const { return kind_; }
  /// Valid as long as this object.
  const NamedTensors& content() const;

 private:
  using Reader = std::variant<SafetensorsFile, PyTorchFile>;
  static Reader open(FileKind kind, std::span<const std::byte> bytes, std::string name);

  std::unique_ptr<const FileBytes> file_;  // null if the bytes are not owned
  FileKind kind_;
  Reader reader_;
};

}  // namespace cornu::detail
