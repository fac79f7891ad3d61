#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace cornu {

/// The bytes of a file, mapped into memory or copied.
class FileBytes {
 public:
  /// Throws FileError, naming path and cause, if it is no file or cannot be read.
  FileBytes(const std::filesystem::path& path, bool memory_map);
  /// All that comes from a descriptor until its end, as from a pipe; it stays open. `name` stands for it in errors.
  FileBytes(int descriptor, const std::string& name);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
  std::vector<std::byte> copy_;
  void* mapping_ = nullptr;
};

}  // namespace cornu
