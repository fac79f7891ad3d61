#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>

namespace cornu {

/// A file that appears whole or not at all. Bytes go to a temporary file in the same folder, which `commit` moves into
/// place. Without a commit the temporary file, .NAME.PROCESS.NUMBER.part (.cornu.PROCESS.NUMBER.part if the name is
/// long), is removed, unless the process is killed; a file that was there before stays as it was.
///
/// The new file keeps the read, write and execute permissions of a file of this user that it replaces, and its group.
/// Nothing is kept of a file of another user, and never the setuid, setgid and sticky bits. If `path` is a link, the
/// file behind it is replaced.
class AtomicFile {
 public:
  /// Throws FileError, naming path and cause, if the folder does not exist or cannot be written, if the name is too
  /// long, if `path` is something other than a file, and if it is a link that belongs to another user.
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
