#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace cornu::detail {

/// Whether the bytes begin as a gzip file does.
bool is_gzip(std::span<const std::byte> bytes);

/// The bytes as a gzip file of one member. Holds no time and no name, so that equal bytes give equal files.
std::vector<std::byte> gzip_compressed(std::span<const std::byte> bytes);

/// Bytes that are read from front to back, from memory, through the gzip decoder where they are compressed.
/// Several gzip members one after the other are read as one, as the format wants it.
class ByteReader {
 public:
  /// `name` stands for the file in errors.
  ByteReader(std::span<const std::byte> bytes, std::string name);
  ~ByteReader();  // Where Inflater is known.

  /// Fills `out` as far as the bytes go, and returns how many there were.
  /// Throws FormatError if the compressed bytes are damaged, cut off, or followed by something else.
  std::size_t read(std::span<std::byte> out);

  bool compressed() const { return inflater_ != nullptr; }
  /// How many bytes are left to read; where they are compressed, the most that there can be.
  std::size_t most_left() const;

 private:
  struct Inflater;

  std::span<const std::byte> bytes_;
  std::string name_;
  std::unique_ptr<Inflater> inflater_;  // None where the bytes are not compressed.
};

}  // namespace cornu::detail
