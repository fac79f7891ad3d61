#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

/// Arrays as stored in files: elements of any type, and ranks that may exceed a Shape's.
namespace cornu {

/// The 8-bit floats follow the Open Compute Project: OFP8 (E4M3, E5M2) and MX (E8M0, a power of two).
enum class Dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean, f8_e4m3, f8_e5m2, f8_e8m0 };

/// Bytes per element.
Index size_of(Dtype dtype);
/// The name used in safetensors files: "F32", "BOOL".
std::string to_string(Dtype dtype);

/// A tensor of any type and rank. Does not own its bytes.
struct RawTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<Index> shape{};
  std::span<const std::byte> bytes{};  ///< row-major, little-endian, of any alignment
};

/// An array in a file whose elements Real cannot represent: text, objects, complex numbers, types of other programs.
/// The rest of the file can be read; asking for this array is an error.
struct UnreadArray {
  std::string name;
  std::string type;            ///< the file's name for the type
  std::vector<Index> shape{};  ///< also empty if unknown
  std::string reason{};        ///< why it is not read
};

namespace detail {
/// The number of a bfloat16, the upper half of a float, and of an IEEE half, given by their bits.
float from_bfloat16(std::uint16_t bits);
float from_half(std::uint16_t bits);

/// True if Real represents this integer exactly.
template <std::integral T>
bool fits_real(T number) {
  const auto real = static_cast<Real>(number);
  const Real beyond = 2 * static_cast<Real>(T{1} << (std::numeric_limits<T>::digits - 1));  // max() + 1, exactly
  return real < beyond && static_cast<T>(real) == number;
}

/// The type with this name, if there is one.
std::optional<Dtype> dtype_called(std::string_view name);
/// The size in bytes of a tensor of this shape. Throws FormatError if a dimension is negative or the size overflows.
Index byte_count(const std::vector<Index>& shape, Dtype dtype);
/// Throws ValueError, naming the tensor, if its shape is invalid or does not match the number of its bytes.
void check_size(const RawTensor& tensor);

/// Throws FormatError, naming position and value, for an integer that Real cannot represent exactly.
void require_exact(const RawTensor& tensor);

/// Throws FormatError, naming file, array and reason, if `unread` has an array of this name.
void require_read(const std::string& file, const std::vector<UnreadArray>& unread, std::string_view name);
}  // namespace detail

/// A tensor that refers to the elements of `view`: F32, or F64 if Real is double.
RawTensor raw_tensor(std::string name, ConstView view);

/// Converts the elements to Real; true becomes 1. Floats are rounded to nearest if Real is narrower. Throws
/// FormatError, naming the tensor, if `to` has a different number of elements, and for an integer that Real cannot
/// represent exactly, such as 2^24 + 1 in a float.
void convert(const RawTensor& from, View to);
/// The same into a new tensor. Throws FormatError if the rank exceeds a Shape's.
Tensor to_tensor(const RawTensor& from);

}  // namespace cornu
