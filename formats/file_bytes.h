#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace cornu {

/// The bytes of a file, mapped into memory or copied.
class FileBytes {
 public:
  /// Whether a path may be that of a pipe, whose other end is then waited for, and which is copied until its end.
  enum class Pipes { refused, read };

  /// Throws FileError, naming path and cause, if it is no file or cannot be read.
  FileBytes(const std::string& path, bool memory_map, Pipes pipes = Pipes::refused);
  /// All that comes from a descriptor until its end; it stays open. `name` stands for it in errors.
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
