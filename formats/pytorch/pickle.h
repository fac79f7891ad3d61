#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "cornu/formats/raw_tensor.h"

/// Python's pickle format, as far as PyTorch's state_dicts need it. Source: CPython, Lib/pickletools.py; PyTorch,
/// torch/_utils.py and torch/serialization.py.
namespace cornu::detail {

/// A name that a pickle may contain. Nothing is ever called: a role says how a value of this name is described.
struct PickleGlobal {
  enum class Role {
    ordered_dict,
    tensor,           ///< _rebuild_tensor and _rebuild_tensor_v2: the element type is the storage's
    typed_tensor,     ///< _rebuild_tensor_v3, whose last argument is the element type
    parameter,        ///< _rebuild_parameter, whose first argument is a tensor
    size,             ///< torch.Size, a tuple
    device,           ///< torch.device
    storage,          ///< such as torch.FloatStorage
    untyped_storage,  ///< its length is in bytes
    dtype,            ///< such as torch.float32
  };
  std::string_view module, name;
  Role role;
  std::optional<Dtype> dtype{};  ///< of storage and dtype; none if Cornu does not read the type
};

/// Null if the name is not known.
const PickleGlobal* pickle_global(std::string_view module, std::string_view name);

/// Position of a value in Pickle::values.
using PickleId = std::uint32_t;

/// A value in a pickle. Values refer to each other by position, so that a value may contain itself.
struct PickleValue {
  enum class Kind { none, boolean, integer, real, text, bytes, tuple, list, dict, global, storage, tensor, other };

  Kind kind = Kind::none;
  std::int64_t number = 0;               ///< of boolean and integer
  std::string_view text{};               ///< of text and bytes; refers to the pickle
  std::vector<PickleId> items{};         ///< of a dict: key, value, key, value; of storage and tensor: the arguments
  const PickleGlobal* global = nullptr;  ///< of global; of tensor: the function
};

/// "a tuple", as Python calls the kind.
const char* name_of(PickleValue::Kind kind);

struct Pickle {
  std::vector<PickleValue> values{};
  PickleId root = 0;

  const PickleValue& operator[](PickleId id) const { return values[id]; }
};

/// Reads a pickle of protocol 2 to 5, which must outlive the result. Storages are
/// ("storage", type, key, location, length) and tensors (storage, offset, sizes, strides, ...), of the right kinds.
/// Charges the values to the MemoryLimit. Throws FormatError, naming the position, for a damaged pickle, an operation
/// that no state_dict needs, and a name other than those of the state_dict's own types, with advice.
Pickle read_pickle(std::span<const std::byte> bytes);

}  // namespace cornu::detail
