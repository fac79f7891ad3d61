#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace cornu {

/// The bytes of a file, mapped into memory or copied.
class FileBytes {
 public:
  /// Whether `path` may be a pipe. A pipe is read until its end, which blocks until the writer closes it.
  enum class Pipes { refused, read };

  /// Throws FileError, naming path and cause, if the path is not a file or cannot be read.
  FileBytes(const std::string& path, bool memory_map, Pipes pipes = Pipes::refused);
  /// Reads everything from a descriptor until its end. The descriptor stays open. `name` is used in errors.
  FileBytes(int descriptor, const std::string& name);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void copy_all(int descriptor, const std::string& name);

  std::span<const std::byte> bytes_;
  std::vector<std::byte> copy_;
  void* mapping_ = nullptr;
};

}  // namespace cornu
