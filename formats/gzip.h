#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cornu::detail {

/// True if the bytes begin with the gzip magic.
bool is_gzip(std::span<const std::byte> bytes);

/// Compresses into one gzip member without time and name, so that equal input gives equal output.
std::vector<std::byte> gzip_compressed(std::span<const std::byte> bytes);

/// Reads bytes sequentially from memory, decompressing them if they are gzip data. Consecutive gzip members are read as
/// one stream, as RFC 1952 requires.
class ByteReader {
 public:
  /// `name` is the file's name in errors.
  ByteReader(std::span<const std::byte> bytes, std::string name);
  ~ByteReader();  // in the .cpp, where Inflater is complete

  /// Fills `out` and returns the number of bytes read, which is smaller only at the end. Throws FormatError if the
  /// compressed data are damaged, truncated, or followed by other bytes.
  std::size_t read(std::span<std::byte> out);

  bool compressed() const { return inflater_ != nullptr; }
  /// The number of bytes left to read; for compressed data, an upper bound.
  std::size_t most_left() const;

 private:
  struct Inflater;

  std::span<const std::byte> bytes_;
  std::string name_;
  std::unique_ptr<Inflater> inflater_;  // null if the bytes are not compressed
};

}  // namespace cornu::detail
