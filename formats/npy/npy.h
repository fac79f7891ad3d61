#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cornu/core/deep_ptr.h"
#include "cornu/formats/raw_tensor.h"

/// NumPy's .npy format for one array, versions 1 to 3 (numpy/lib/format.py, NEP 1): a magic string, a header that is a
/// Python dictionary of type, order and shape, then the elements.
namespace cornu {

struct NpyOptions {
  /// Maps the file into memory, so that pages are read when they are used; false copies it. Truncating a mapped file
  /// while it is in use crashes the program; replacing it, as AtomicFile does, is safe.
  bool memory_map = true;
};

/// A .npy file that has been read and checked.
class NpyFile {
 public:
  /// Throws FileError if the file cannot be read. Throws FormatError, naming the file, if it breaks the format, if it
  /// has fewer or more bytes than the shape requires, and for elements that are not real numbers: objects, structures,
  /// text, dates, complex numbers. Allocates only what the array needs.
  explicit NpyFile(const std::string& path, const NpyOptions& options = {});
  /// The same for bytes in memory, which must outlive this object; `name` is the file's name in errors.
  NpyFile(std::span<const std::byte> bytes, std::string name);
  ~NpyFile();
  NpyFile(NpyFile&&) noexcept;
  NpyFile& operator=(NpyFile&&) noexcept;

  /// Named after the file, without folder and extension. Valid as long as this object.
  const RawTensor& array() const;
  /// Converts the elements to Real, see `convert`. Throws FormatError if the rank exceeds a Shape's.
  Tensor tensor() const;
  std::string path() const;

 private:
  struct Content;
  detail::OwnedPtr<const Content> content_;
};

/// Writes a .npy file of version 1 atomically. Throws ValueError for a shape that does not match its bytes and for
/// BF16, which NumPy does not have; FileError, naming path and cause, if the file cannot be written. An existing file
/// is kept on error.
void write_npy(const std::string& path, const RawTensor& array);
/// Type f4, or f8 if Real is double.
void write_npy(const std::string& path, ConstView array);

}  // namespace cornu
