#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/shape.h"

/// Zip files in memory, by libzip. Without libzip, everything here throws a FileError that says so.
namespace cornu::detail {

/// True if Cornu was built with libzip.
bool has_zip();

/// Reads the members of a zip file, stored or deflated.
class ZipReader {
 public:
  /// Refers to the bytes, which must outlive this object and must not be empty. Throws FormatError if they are not a
  /// zip file, or if its members overlap.
  explicit ZipReader(std::span<const std::byte> file);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  Index size() const;
  /// Throws FormatError if the name is not text.
  std::string name(Index member) const;
  /// The size in bytes that the file claims for the decompressed member.
  std::uint64_t size_of(Index member) const;
  /// Decompresses a member and verifies its checksum. Throws FormatError, without the member's name, if it is damaged,
  /// encrypted, compressed by an unsupported method, or larger than `limit` bytes.
  std::vector<std::byte> read(Index member, std::uint64_t limit) const;

 private:
  struct Archive;
  std::unique_ptr<const Archive> archive_;
};

/// A member to write, in two parts that are stored one after the other. Does not own its bytes.
struct ZipMember {
  std::string name;
  std::span<const std::byte> head, body;
};

/// The bytes of a zip file; equal members give equal bytes. Throws ValueError for a name that is not UTF-8.
std::vector<std::byte> zip_file(std::span<const ZipMember> members, bool compressed);

}  // namespace cornu::detail
