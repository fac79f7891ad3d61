#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/deep_ptr.h"
#include "cornu/formats/raw_tensor.h"

/// The safetensors format (github.com/huggingface/safetensors, README, "Format"), version 1: 8 bytes with the header's
/// length, a header of JSON with each tensor's type, shape and place, then the numbers, row-major and little-endian.
namespace cornu {

using SafetensorsMetadata = std::map<std::string, std::string, std::less<>>;

struct SafetensorsOptions {
  /// The file is mapped into memory, and read where and when it is used; false copies it. Who cuts a mapped file short
  /// meanwhile ends the program; one that is replaced, as AtomicFile does, stays as it was.
  bool memory_map = true;
};

/// A file that has been read and checked.
class SafetensorsFile {
 public:
  /// Throws FileError if it cannot be read, and FormatError, naming file and tensor, for whatever breaks the format: a
  /// header that is longer than 100,000,000 bytes or than the file, that is not JSON or not UTF-8, a name twice, an
  /// unknown entry, a shape that does not agree with its bytes, bytes between tensors, bytes of two tensors,
  /// bytes after the last one; and for more than 10,000 texts in its metadata, or one of more than 8 MB. Allocates no
  /// more than the header, or the file where it is copied, has use for.
  explicit SafetensorsFile(const std::string& path, const SafetensorsOptions& options = {});
  /// The same for bytes in memory, which must outlive it; `name` stands for the file in errors.
  SafetensorsFile(std::span<const std::byte> bytes, std::string name);
  ~SafetensorsFile();
  SafetensorsFile(SafetensorsFile&&) noexcept;
  SafetensorsFile& operator=(SafetensorsFile&&) noexcept;

  /// In the order in which they are in the file; valid as long as the file.
  const std::vector<RawTensor>& tensors() const;
  /// Tensors of types that are not read: complex numbers, floats of 4 and 6 bits, types that Cornu does not know.
  const std::vector<UnreadArray>& unread() const;
  const SafetensorsMetadata& metadata() const;
  /// Null if there is none of that name. Throws FormatError, saying why, for one of unread().
  const RawTensor* find(std::string_view name) const;
  /// The numbers as Reals, rounded to the nearest where Real is the narrower type; true is 1. Throws FormatError if
  /// there is none of that name, or its rank is more than a Shape can have.
  Tensor tensor(std::string_view name) const;
  std::string path() const;

 private:
  struct Content;
  detail::OwnedPtr<const Content> content_;
};

/// Writes a file that appears whole or not at all: the types of most bytes first, and then by name, as the format
/// wants it for alignment. Throws ValueError for a name that is there twice, or is "__metadata__", and for a shape that
/// does not agree with its bytes, and FileError, naming path and cause, if the file cannot be written; what stood there
/// before is kept then.
void write_safetensors(const std::string& path, std::span<const RawTensor> tensors,
                       const SafetensorsMetadata& metadata = {});

/// The bytes that write_safetensors writes.
std::vector<std::byte> safetensors_bytes(std::span<const RawTensor> tensors, const SafetensorsMetadata& metadata = {});

}  // namespace cornu
