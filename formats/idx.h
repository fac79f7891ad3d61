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

/// The numbers of an IDX file, as the type that the file gives them.
using IdxData = std::variant<std::vector<std::uint8_t>, std::vector<std::int8_t>, std::vector<std::int16_t>,
                             std::vector<std::int32_t>, std::vector<float>, std::vector<double>>;

/// What an IDX file holds: an array of one of six types, row by row. The format is that of the MNIST files: two zero
/// bytes, a byte for the type, one for the number of dimensions, the dimensions, the numbers, all big-endian.
/// Source: LeCun, Cortes, Burges, "The MNIST database of handwritten digits", "The IDX file format".
struct IdxArray {
  std::vector<Index> dimensions{};  // More than a Shape may have, up to 255.
  IdxData data{};

  /// How many numbers there are.
  Index size() const;
  /// The first four bytes of the file as one number, as people quote it: 2051 for images, 2049 for labels.
  std::uint32_t magic() const;

  friend bool operator==(const IdxArray&, const IdxArray&) = default;
};

/// "u8", "i8", "i16", "i32", "f32" or "f64".
const char* type_name(const IdxData& data);

/// The numbers as Real. Throws ShapeError for more dimensions than a Shape has, and FormatError for an integer that a
/// Real does not hold exactly.
Tensor to_tensor(const IdxArray& array);
/// The same array, whose bytes are those of `array`: it must stay where it is.
RawTensor raw_tensor(std::string name, const IdxArray& array);
/// As f32, or as f64 where Real is double.
IdxArray to_idx(ConstView tensor);

struct IdxReadOptions {
  /// Larger files and arrays, in bytes, are refused.
  std::uint64_t size_limit = std::uint64_t{4} << 30;
};

/// Reads an IDX file, raw or compressed by gzip, which its content tells and not its name.
/// Throws FileError if it cannot be read, FormatError, saying what came and what was required, if it is damaged, too
/// short, too long, or no IDX file. The memory that it takes is at most a small multiple of what the file really holds.
IdxArray read_idx(const std::string& path, const IdxReadOptions& options = {});
/// The same for bytes that are in memory; `name` stands for the file in errors.
IdxArray read_idx_bytes(std::span<const std::byte> bytes, const std::string& name, const IdxReadOptions& options = {});

struct IdxWriteOptions {
  /// Compressed or not; where left out, compressed if the name ends in ".gz".
  std::optional<bool> gzip{};
};

/// Writes an IDX file that appears whole or not at all; equal arrays give equal bytes.
/// Throws ShapeError if the dimensions do not multiply to the number of numbers, ValueError for dimensions that the
/// format cannot hold, and FileError, naming path and cause, if the file cannot be written.
void write_idx(const std::string& path, const IdxArray& array, const IdxWriteOptions& options = {});
/// The bytes that write_idx writes.
std::vector<std::byte> idx_bytes(const IdxArray& array, bool gzip);

}  // namespace cornu
