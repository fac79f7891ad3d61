#pragma once

#include <concepts>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cornu/core/tensor.h"

/// Arrays as files hold them: numbers of any type, and more dimensions than a Shape has.
namespace cornu {

/// The 8-bit floats are those of the Open Compute Project: OFP8 (E4M3, E5M2) and MX (E8M0, a power of two).
enum class Dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean, f8_e4m3, f8_e5m2, f8_e8m0 };

/// Bytes a number takes.
Index size_of(Dtype dtype);
/// As safetensors files call it: "F32", "BOOL".
std::string to_string(Dtype dtype);
/// The type that is called so, if there is one.
std::optional<Dtype> dtype_called(std::string_view name);

/// A tensor of any type and rank whose bytes are somebody else's.
struct RawTensor {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<Index> shape{};
  std::span<const std::byte> bytes{};  ///< row-major, little-endian; they may begin anywhere
};

/// An array of a file whose elements a Real cannot hold: text, objects, complex numbers, types of other programs. The
/// rest of the file can be read; asking for this array is an error.
struct UnreadArray {
  std::string name;
  std::string type;            ///< as the file calls it
  std::vector<Index> shape{};  ///< empty also if it is not known
  std::string reason{};        ///< why it is not read
};

namespace detail {
/// Whether a Real holds this integer exactly.
template <std::integral T>
bool fits_real(T number) {
  const auto real = static_cast<Real>(number);
  const Real beyond = 2 * static_cast<Real>(T{1} << (std::numeric_limits<T>::digits - 1));  // max() + 1, exactly
  return real < beyond && static_cast<T>(real) == number;
}

/// Throws FormatError, naming position and value, for an integer that a Real does not hold exactly.
void require_exact(const RawTensor& tensor);

/// Throws FormatError, naming file, array and reason, if an array of this name is among those that are not read.
void require_read(const std::string& file, const std::vector<UnreadArray>& unread, std::string_view name);
}  // namespace detail

/// A view of Reals as such a tensor: F32, or F64 where Real is double.
RawTensor raw_tensor(std::string name, ConstView view);

/// The bytes that a tensor of this shape takes. Throws FormatError if the shape is negative or its size overflows.
Index byte_count(const std::vector<Index>& shape, Dtype dtype);
/// Throws ValueError, naming the tensor, if its shape cannot be or does not agree with its bytes.
void check_size(const RawTensor& tensor);

/// The numbers as Reals; true is 1. Floats are rounded to the nearest where Real is the narrower type, integers never
/// are. The view has as many. Errors name the tensor: FormatError if there are more or fewer, and for an integer that a
/// Real does not hold exactly, as 2^24 + 1 in a float.
void convert(const RawTensor& from, View to);
/// The same as a tensor of its own. Throws FormatError if the rank is more than a Shape can have.
Tensor to_tensor(const RawTensor& from);

}  // namespace cornu
