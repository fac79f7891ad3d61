#pragma once

#include <array>
#include <string_view>

#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// An element type in the file formats.
struct DtypeRow {
  Dtype dtype;
  const char* name;        ///< in safetensors files
  Index size;              ///< bytes per element
  std::string_view numpy;  ///< in .npy files, without the byte order; empty if NumPy does not have the type
};

inline constexpr std::array<DtypeRow, 16> dtypes{{
    {Dtype::f64, "F64", 8, "f8"},
    {Dtype::f32, "F32", 4, "f4"},
    {Dtype::f16, "F16", 2, "f2"},
    {Dtype::bf16, "BF16", 2, ""},
    {Dtype::i64, "I64", 8, "i8"},
    {Dtype::i32, "I32", 4, "i4"},
    {Dtype::i16, "I16", 2, "i2"},
    {Dtype::i8, "I8", 1, "i1"},
    {Dtype::u64, "U64", 8, "u8"},
    {Dtype::u32, "U32", 4, "u4"},
    {Dtype::u16, "U16", 2, "u2"},
    {Dtype::u8, "U8", 1, "u1"},
    {Dtype::boolean, "BOOL", 1, "b1"},
    {Dtype::f8_e4m3, "F8_E4M3", 1, ""},
    {Dtype::f8_e5m2, "F8_E5M2", 1, ""},
    {Dtype::f8_e8m0, "F8_E8M0", 1, ""},
}};

/// The row of a type: the rows are in the order of Dtype.
constexpr const DtypeRow& dtype_row(Dtype dtype) { return dtypes[static_cast<std::size_t>(dtype)]; }

static_assert([] {
  for (const DtypeRow& row : dtypes) {
    if (&dtype_row(row.dtype) != &row) return false;
  }
  return true;
}());

}  // namespace cornu::detail
