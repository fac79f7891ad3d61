#pragma once

#include <map>
#include <memory>
#include <string>

#include "cornu/formats/file_bytes.h"
#include "cornu/onnx/wire.h"

/// External data: tensors whose elements are in other files of the model's folder, such as model.onnx.data.
namespace cornu::onnx::detail {

class ExternalFiles {
 public:
  /// folder: of the model's file; empty for a model that was not read from a file. Adds the sizes of the files that are
  /// opened to `budget`.
  ExternalFiles(std::string folder, Budget& budget) : folder_(std::move(folder)), budget_(budget) {}

  /// The bytes of a place, mapped; valid for as long as this object. Throws FormatError for a path that leaves the
  /// folder, also through a link, and for an offset or a length beyond the file; FileError if it cannot be read.
  std::span<const std::byte> bytes(const ExternalPlace& place);

 private:
  std::span<const std::byte> file(std::string_view location);

  std::string folder_;
  Budget& budget_;
  std::map<std::string, std::unique_ptr<FileBytes>, std::less<>> files_;
};

}  // namespace cornu::onnx::detail
