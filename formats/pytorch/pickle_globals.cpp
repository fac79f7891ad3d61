#include <algorithm>
#include <array>

#include "cornu/formats/pytorch/pickle.h"

namespace cornu::detail {

namespace {

using Role = PickleGlobal::Role;

/// What torch.save writes for dicts of tensors, from PyTorch 1.6 to 2.9. A storage has the type that its elements had
/// in PyTorch 1; newer types have an untyped storage and a dtype.
constexpr std::array globals{
    PickleGlobal{"collections", "OrderedDict", Role::ordered_dict},
    PickleGlobal{"torch._utils", "_rebuild_tensor", Role::tensor},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v2", Role::tensor},
    PickleGlobal{"torch._utils", "_rebuild_tensor_v3", Role::typed_tensor},
    PickleGlobal{"torch._utils", "_rebuild_parameter", Role::parameter},
    PickleGlobal{"torch._utils", "_rebuild_parameter_with_state", Role::parameter},
    PickleGlobal{"torch", "Size", Role::size},
    PickleGlobal{"torch", "device", Role::device},
    PickleGlobal{"torch", "DoubleStorage", Role::storage, Dtype::f64},
    PickleGlobal{"torch", "FloatStorage", Role::storage, Dtype::f32},
    PickleGlobal{"torch", "HalfStorage", Role::storage, Dtype::f16},
    PickleGlobal{"torch", "BFloat16Storage", Role::storage, Dtype::bf16},
    PickleGlobal{"torch", "LongStorage", Role::storage, Dtype::i64},
    PickleGlobal{"torch", "IntStorage", Role::storage, Dtype::i32},
    PickleGlobal{"torch", "ShortStorage", Role::storage, Dtype::i16},
    PickleGlobal{"torch", "CharStorage", Role::storage, Dtype::i8},
    PickleGlobal{"torch", "ByteStorage", Role::storage, Dtype::u8},
    PickleGlobal{"torch", "BoolStorage", Role::storage, Dtype::boolean},
    PickleGlobal{"torch", "ComplexFloatStorage", Role::storage},
    PickleGlobal{"torch", "ComplexDoubleStorage", Role::storage},
    PickleGlobal{"torch", "UntypedStorage", Role::untyped_storage},
    PickleGlobal{"torch.storage", "UntypedStorage", Role::untyped_storage},
    PickleGlobal{"torch", "float64", Role::dtype, Dtype::f64},
    PickleGlobal{"torch", "float32", Role::dtype, Dtype::f32},
    PickleGlobal{"torch", "float16", Role::dtype, Dtype::f16},
    PickleGlobal{"torch", "bfloat16", Role::dtype, Dtype::bf16},
    PickleGlobal{"torch", "int64", Role::dtype, Dtype::i64},
    PickleGlobal{"torch", "int32", Role::dtype, Dtype::i32},
    PickleGlobal{"torch", "int16", Role::dtype, Dtype::i16},
    PickleGlobal{"torch", "int8", Role::dtype, Dtype::i8},
    PickleGlobal{"torch", "uint64", Role::dtype, Dtype::u64},
    PickleGlobal{"torch", "uint32", Role::dtype, Dtype::u32},
    PickleGlobal{"torch", "uint16", Role::dtype, Dtype::u16},
    PickleGlobal{"torch", "uint8", Role::dtype, Dtype::u8},
    PickleGlobal{"torch", "bool", Role::dtype, Dtype::boolean},
    PickleGlobal{"torch", "float8_e4m3fn", Role::dtype, Dtype::f8_e4m3},
    PickleGlobal{"torch", "float8_e5m2", Role::dtype, Dtype::f8_e5m2},
    PickleGlobal{"torch", "float8_e8m0fnu", Role::dtype, Dtype::f8_e8m0},
    PickleGlobal{"torch", "float8_e4m3fnuz", Role::dtype},
    PickleGlobal{"torch", "float8_e5m2fnuz", Role::dtype},
    PickleGlobal{"torch", "complex32", Role::dtype},
    PickleGlobal{"torch", "complex64", Role::dtype},
    PickleGlobal{"torch", "complex128", Role::dtype},
};

}  // namespace

const PickleGlobal* pickle_global(std::string_view module, std::string_view name) {
  const auto found = std::find_if(globals.begin(), globals.end(),
                                  [&](const PickleGlobal& one) { return one.module == module && one.name == name; });
  return found == globals.end() ? nullptr : &*found;
}

const char* name_of(PickleValue::Kind kind) {
  switch (kind) {
    case PickleValue::Kind::none:
      return "None";
    case PickleValue::Kind::boolean:
      return "a bool";
    case PickleValue::Kind::integer:
      return "an int";
    case PickleValue::Kind::real:
      return "a float";
    case PickleValue::Kind::text:
      return "a str";
    case PickleValue::Kind::bytes:
      return "bytes";
    case PickleValue::Kind::tuple:
      return "a tuple";
    case PickleValue::Kind::list:
      return "a list";
    case PickleValue::Kind::dict:
      return "a dict";
    case PickleValue::Kind::global:
      return "a type or function";
    case PickleValue::Kind::storage:
      return "a storage";
    case PickleValue::Kind::tensor:
      return "a tensor";
    case PickleValue::Kind::other:
      break;
  }
  return "an object";
}

}  // namespace cornu::detail
