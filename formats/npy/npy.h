#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "cornu/core/deep_ptr.h"
#include "cornu/formats/raw_tensor.h"

/// NumPy's format for one array (numpy/lib/format.py, NEP 1), versions 1 to 3: a magic, a header that is a Python
/// dictionary of the type, the order and the shape, then the numbers.
namespace cornu {

struct NpyOptions {
  /// The file is mapped into memory, and read where and when it is used; false copies it. Who cuts a mapped file short
  /// meanwhile ends the program; one that is replaced, as AtomicFile does, stays as it was.
  bool memory_map = true;
};

/// An array that has been read and checked.
class NpyFile {
 public:
  /// Throws FileError if the file cannot be read, and FormatError, naming it, for whatever breaks the format, for bytes
  /// that are fewer or more than the shape tells, and for arrays of what is no number here: objects, structures, texts,
  /// dates, complex numbers. Allocates no more than the array has use for.
  explicit NpyFile(const std::string& path, const NpyOptions& options = {});
  /// The same for bytes in memory, which must outlive it; `name` stands for the file in errors.
  NpyFile(std::span<const std::byte> bytes, std::string name);
  ~NpyFile();
  NpyFile(NpyFile&&) noexcept;
  NpyFile& operator=(NpyFile&&) noexcept;

  /// Its name is that of the file, without folder and ending. Valid as long as the file.
  const RawTensor& array() const;
  /// The numbers as Reals, as `convert` makes them. Throws FormatError if its rank is more than a Shape can have.
  Tensor tensor() const;
  std::string path() const;

 private:
  struct Content;
  detail::OwnedPtr<const Content> content_;
};

/// Writes a file of version 1 that appears whole or not at all. Throws ValueError for a shape that does not agree with
/// its bytes, and for BF16, which NumPy does not know, and FileError, naming path and cause, if the file cannot be
/// written; what stood there before is kept then.
void write_npy(const std::string& path, const RawTensor& array);
/// A view of Reals: f4, or f8 where Real is double.
void write_npy(const std::string& path, ConstView array);

}  // namespace cornu
