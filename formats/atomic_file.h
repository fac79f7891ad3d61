#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace cornu {

/// Writes a file atomically: it appears complete or not at all. Bytes go to a temporary file in the same folder, which
/// `commit` renames to `path`. Without a commit the destructor removes the temporary file, and an existing file at
/// `path` is left unchanged. A killed process leaves the temporary file behind: .NAME.PROCESS.NUMBER.part, or
/// .cornu.PROCESS.NUMBER.part if NAME is longer than 200 bytes.
///
/// A replaced file that belongs to this user passes its group and its read, write and execute permissions to the new
/// one. Nothing is taken from a file of another user, and the setuid, setgid and sticky bits are never kept. If `path`
/// is a symbolic link, the file it points to is replaced.
class AtomicFile {
 public:
  /// Throws FileError, naming path and cause, if the folder does not exist or is not writable, if the name is too long,
  /// if `path` is not a regular file, or if it is a link that belongs to another user.
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();  // Closes and removes the temporary file.
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// Throws FileError, for example if the disk is full.
  void write(std::span<const std::byte> bytes);
  /// Flushes the bytes to the disk, then renames the temporary file. Throws FileError if either fails.
  void commit();

 private:
  [[noreturn]] void fail(const char* what, int error) const;
  void close_and_remove() noexcept;

  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

}  // namespace cornu
