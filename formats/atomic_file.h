#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace cornu {

/// A file that appears whole or not at all: what is written goes to a temporary file in the same folder, which `commit`
/// moves into place. Without a commit the temporary file, .NAME.PROCESS.NUMBER.part (.cornu.PROCESS.NUMBER.part where
/// the name is long), is removed, whatever went wrong short of the process being killed; a file that stood there before
/// stays as it was. The new one has its permissions; where `path` is a link, it is the file behind it that is replaced.
class AtomicFile {
 public:
  /// Throws FileError, naming path and cause, if the folder does not exist or cannot be written, if the name is too
  /// long, and if `path` is something else than a file.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();  // Closes and removes the temporary file.
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws FileError, for example when the disk is full.
  void write(std::span<const std::byte> bytes);
  /// Makes sure that the bytes are on the disk, then gives the file its name. Throws FileError if either fails.
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error) const;
  void close_and_remove() noexcept;

  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace cornu
