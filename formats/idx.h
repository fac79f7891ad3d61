#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "cornu/formats/raw_tensor.h"

namespace cornu {

/// The elements of an IDX file, in the file's element type.
using IdxData = std::variant<std::vector<std::uint8_t>, std::vector<std::int8_t>, std::vector<std::int16_t>,
                             std::vector<std::int32_t>, std::vector<float>, std::vector<double>>;

/// The content of an IDX file: a row-major array of one of six types. IDX is the format of the MNIST files: two zero
/// bytes, one byte for the type, one for the number of dimensions, the dimensions, then the elements, all big-endian.
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", "The IDX file format".
struct IdxArray {
  std::vector<Index> dimensions{};  // up to 255, more than a Shape can have
  IdxData data{};

  /// The number of elements.
  Index size() const;
  /// The first four bytes of the file as one number: 2051 for images, 2049 for labels.
  std::uint32_t magic() const;

  friend bool operator==(const IdxArray&, const IdxArray&) = default;
};

/// "u8", "i8", "i16", "i32", "f32" or "f64".
const char* type_name(const IdxData& data);

/// Converts the elements to Real. Throws ShapeError if the array has more dimensions than a Shape can have or a size
/// that does not match its dimensions, and FormatError for an integer that Real cannot represent exactly.
Tensor to_tensor(const IdxArray& array);
/// A tensor that refers to the bytes of `array`, which must outlive it and stay in place.
RawTensor raw_tensor(std::string name, const IdxArray& array);
/// Element type f32, or f64 if Real is double.
IdxArray to_idx(ConstView tensor);

struct IdxReadOptions {
  /// Upper bound in bytes for the file and for the array; anything larger is refused.
  std::uint64_t size_limit = std::uint64_t{4} << 30;
};

/// Reads an IDX file, raw or gzip-compressed; compression is detected from the content.
/// Throws FileError if the file cannot be read; FormatError, naming what was found and what is required, if it is
/// damaged, too short, too long, or not an IDX file. Memory use is at most a small multiple of the
/// decompressed content, whatever sizes the header claims.
IdxArray read_idx(const std::string& path, const IdxReadOptions& options = {});
/// The same for bytes in memory; `name` is the file's name in errors.
IdxArray read_idx_bytes(std::span<const std::byte> bytes, const std::string& name, const IdxReadOptions& options = {});

struct IdxWriteOptions {
  /// Whether to compress with gzip. Default: yes if the name ends in ".gz".
  std::optional<bool> gzip{};
};

/// Writes an IDX file atomically; equal arrays give equal bytes.
/// Throws ShapeError if the product of the dimensions is not the number of elements, ValueError for dimensions that the
/// format cannot hold, and FileError, naming path and cause, if the file cannot be written.
void write_idx(const std::string& path, const IdxArray& array, const IdxWriteOptions& options = {});

namespace detail {
/// The bytes that write_idx writes.
std::vector<std::byte> idx_bytes(const IdxArray& array, bool gzip);
}  // namespace detail

}  // namespace cornu
