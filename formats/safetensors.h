#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/formats/named_tensors.h"

/// The safetensors format, version 1 (github.com/huggingface/safetensors, README, "Format"): 8 bytes for the header's
/// length, a JSON header with the type, shape and position of each tensor, then the elements, row-major and
/// little-endian.
namespace cornu {

using SafetensorsMetadata = TensorMetadata;

struct SafetensorsOptions {
  /// Maps the file into memory, so that pages are read when they are used; false copies it. Truncating a mapped file
  /// while it is in use crashes the program; replacing it, as AtomicFile does, is safe.
  bool memory_map = true;
};

/// A safetensors file that has been read and checked.
class SafetensorsFile {
 public:
  /// Throws FileError if the file cannot be read. Throws FormatError, naming file and tensor, if it breaks the format:
  /// a header longer than 100,000,000 bytes or than the file, or not JSON, or not UTF-8; a duplicate name; an unknown
  /// entry; a shape that does not match its bytes; unused bytes between tensors or after the last one; overlapping
  /// tensors. More than 10,000 metadata entries, or one of more than 8 MB, are refused as well. Allocates only what the
  /// header needs, and the size of the file if it is copied.
  explicit SafetensorsFile(const std::string& path, const SafetensorsOptions& options = {});
  /// The same for bytes in memory, which must outlive this object; `name` is the file's name in errors.
  SafetensorsFile(std::span<const std::byte> bytes, std::string name);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  /// In the order of the file. Valid as long as this object.
  const std::vector<RawTensor>& tensors() const;
  /// Tensors of unsupported types: complex numbers, 4- and 6-bit floats, types that Cornu does not know.
  const std::vector<UnreadArray>& unread() const;
  const SafetensorsMetadata& metadata() const;
  /// Null if there is no tensor of this name. Throws FormatError, with the reason, if it is one of unread().
  const RawTensor* find(std::string_view name) const;
  /// Converts the elements to Real, see `convert`. Throws FormatError if there is no tensor of this name, or if its
  /// rank exceeds a Shape's.
  Tensor tensor(std::string_view name) const;
  std::string path() const;
  /// All of these. Valid as long as this object.
  const NamedTensors& content() const;

 private:
  struct Content;
  detail::OwnedPtr<const Content> content_;
};

/// Writes a safetensors file atomically. Tensors are sorted by element size, largest first, then by name, which keeps
/// them aligned as the format requires. Throws ValueError for a duplicate name, for the name "__metadata__", and for a
/// shape that does not match its bytes; FileError, naming path and cause, if the file cannot be written. An existing
/// file is kept on error.
void write_safetensors(const std::string& path, std::span<const RawTensor> tensors,
                       const SafetensorsMetadata& metadata = {});

namespace detail {
/// The bytes that write_safetensors writes.
std::vector<std::byte> safetensors_bytes(std::span<const RawTensor> tensors, const SafetensorsMetadata& metadata = {});
}  // namespace detail

}  // namespace cornu
