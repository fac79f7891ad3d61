#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cornu/core/shape.h"

/// Zip files in memory, by libzip. Without libzip all of this throws FileError that says so.
namespace cornu::detail {

/// Whether libzip is there.
bool has_zip();

/// What a zip file holds, stored or compressed by deflate.
class ZipReader {
 public:
  /// The bytes, of which there is one at least, are read where they are and must outlive it. Throws FormatError if they
  /// are no zip file, or one whose members share bytes.
  explicit ZipReader(std::span<const std::byte> file);
  ~ZipReader();
  ZipReader(const ZipReader&) = delete;
  ZipReader& operator=(const ZipReader&) = delete;

  Index size() const;
  /// Throws FormatError for one that is no text.
  std::string name(Index member) const;
  /// Unpacks a member and compares it with its check sum. Throws FormatError, without the member's name, if it is
  /// damaged, encrypted or packed in another way, or takes more than `limit` bytes.
  std::vector<std::byte> read(Index member, std::uint64_t limit) const;

 private:
  struct Archive;
  std::unique_ptr<const Archive> archive_;
};

/// A file in a zip file, in two parts, which must outlive the call that packs it.
struct ZipMember {
  std::string name;
  std::span<const std::byte> head, body;
};

/// The bytes of a zip file; equal members give equal bytes. Throws ValueError for a name that is not UTF-8.
std::vector<std::byte> zip_file(std::span<const ZipMember> members, bool compressed);

}  // namespace cornu::detail
