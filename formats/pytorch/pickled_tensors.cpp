#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/core/text/naming.h"
#include "cornu/formats/pytorch/pickle.h"
#include "cornu/formats/pytorch/pytorch_file.h"
#include "cornu/formats/pytorch/state_dict.h"

namespace cornu::detail {

namespace {

using Role = PickleGlobal::Role;

/// A tensor as a view of its storage, in elements.
struct Strided {
  std::size_t offset = 0;
  std::vector<Index> sizes{}, strides{};

  bool is_empty() const { return std::find(sizes.begin(), sizes.end(), 0) != sizes.end(); }

  /// True if the elements are row-major and without gaps. Axes of length 1 may have any stride.
  bool is_contiguous() const {
    Index expected = 1;
    for (std::size_t axis = sizes.size(); axis-- > 0;) {
      if (sizes[axis] != 1 && strides[axis] != expected) return false;
      expected *= sizes[axis];
    }
    return true;
  }

  /// Throws FormatError if an element is not among the storage's. Not for empty tensors.
  void require_within(std::size_t elements) const {
    const auto fail = [&] {
      throw FormatError(message("sizes {}, strides {} and offset {} reach beyond its storage of {} elements",
                                to_string(std::span(sizes)), to_string(std::span(strides)), offset, elements));
    };
    if (offset >= elements) fail();
    std::size_t left = elements - 1 - offset;
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      const auto steps = static_cast<std::size_t>(sizes[axis] - 1), stride = static_cast<std::size_t>(strides[axis]);
      if (stride != 0 && steps > left / stride) fail();
      left -= steps * stride;
    }
  }

  /// Copies the elements, of `size` bytes each, in row-major order.
  void gather(std::span<const std::byte> storage, std::size_t size, std::span<std::byte> to) const {
    std::vector<Index> at(sizes.size());
    std::size_t from = offset;
    for (std::size_t done = 0; done < to.size(); done += size) {
      std::memcpy(to.data() + done, storage.data() + from * size, size);
      for (std::size_t axis = sizes.size(); axis-- > 0;) {
        from += static_cast<std::size_t>(strides[axis]);
        if (++at[axis] < sizes[axis]) break;
        from -= static_cast<std::size_t>(sizes[axis] * strides[axis]);
        at[axis] = 0;
      }
    }
  }
};

class Collector {
 public:
  Collector(const Pickle& pickle, const std::function<std::vector<std::byte>(std::string_view)>& storage)
      : pickle_(pickle), storage_(storage) {}

  void add(const std::string& name, PickleId id) {
    const PickleValue& tensor = pickle_[id];
    const PickleValue& storage = pickle_[tensor.items[0]];
    const PickleGlobal& type = *pickle_[storage.items[1]].global;
    const bool typed = tensor.global->role == Role::typed_tensor;
    const PickleGlobal& element = typed ? *pickle_[tensor.items[6]].global : type;
    if (const char* const reason = why_unread(tensor, element, typed)) {
      found_.unread.push_back({.name = name, .type = std::string(element.name), .reason = reason});
      return;
    }
    RawTensor raw{.name = name, .dtype = *element.dtype, .shape = numbers(tensor.items[2])};
    const Strided view{.offset = static_cast<std::size_t>(pickle_[tensor.items[1]].number),
                       .sizes = raw.shape,
                       .strides = numbers(tensor.items[3])};
    const auto bytes = static_cast<std::size_t>(byte_count(raw.shape, raw.dtype));
    if (!view.is_empty()) raw.bytes = elements(view, storage, static_cast<std::size_t>(size_of(raw.dtype)), bytes);
    found_.tensors.push_back(std::move(raw));
  }

  PickledTensors found() && {
    for (auto& [key, storage] : storages_) {
      if (storage.is_viewed) found_.owned.push_back(std::move(storage.bytes));
    }
    return std::move(found_);
  }

 private:
  struct Storage {
    std::vector<std::byte> bytes;
    bool is_viewed = false;  // a tensor refers to the bytes
  };

  /// Null if the tensor can be read.
  const char* why_unread(const PickleValue& tensor, const PickleGlobal& element, bool typed) const {
    if (!element.dtype)
      return element.role == Role::untyped_storage ? "its element type is not known"
                                                   : "its element type is not supported; save it as torch.float32";
    // Negation and conjugation that PyTorch does only when it uses the elements.
    const std::size_t metadata = typed ? 7 : 6;
    if (tensor.items.size() > metadata && !pickle_[tensor.items[metadata]].items.empty()) {
      return "its elements are negated or conjugated on reading; save it after .resolve_neg() and .resolve_conj()";
    }
    return nullptr;
  }

  std::vector<Index> numbers(PickleId tuple) const {
    std::vector<Index> result;
    for (const PickleId item : pickle_[tuple].items) result.push_back(pickle_[item].number);
    return result;
  }

  /// The tensor's elements, of `size` bytes each: in its storage if they are contiguous there, or else in a copy.
  std::span<const std::byte> elements(const Strided& view, const PickleValue& described, std::size_t size,
                                      std::size_t bytes) {
    Storage& storage = storage_of(described);
    const auto claimed = static_cast<std::size_t>(pickle_[described.items[4]].number);
    const bool in_bytes = pickle_[described.items[1]].global->role == Role::untyped_storage;
    const std::size_t length = storage.bytes.size() / (in_bytes ? 1 : size);
    require<FormatError>(claimed == length, "its storage has {} {}, the pickle says {}", length,
                         in_bytes ? "bytes" : "elements", claimed);
    view.require_within(storage.bytes.size() / size);
    if (view.is_contiguous()) {
      storage.is_viewed = true;
      return std::span(storage.bytes).subspan(view.offset * size, bytes);
    }
    MemoryLimit::charge(MemoryLimit::tensors, bytes);
    std::vector<std::byte>& copy = found_.owned.emplace_back(bytes);
    view.gather(storage.bytes, size, copy);
    return copy;
  }

  Storage& storage_of(const PickleValue& described) {
    const std::string_view key = pickle_[described.items[2]].text;
    const auto known = storages_.find(key);
    return known != storages_.end() ? known->second : storages_.emplace(key, Storage{storage_(key)}).first->second;
  }

  const Pickle& pickle_;
  const std::function<std::vector<std::byte>(std::string_view)>& storage_;
  std::map<std::string_view, Storage> storages_{};
  PickledTensors found_{};
};

}  // namespace

PickledTensors pickled_tensors(std::span<const std::byte> bytes,
                               const std::function<std::vector<std::byte>(std::string_view key)>& storage) {
  const auto [pickle, dict] = naming("data.pkl", [&] {
    Pickle read = read_pickle(bytes);
    StateDict found = find_state_dict(read);
    return std::pair(std::move(read), std::move(found));
  });
  Collector collector(pickle, storage);
  for (const auto& [name, id] : dict.tensors) {
    naming('"' + name + '"', [&, &name = name, id = id] { collector.add(name, id); });
  }
  PickledTensors result = std::move(collector).found();
  result.unread.insert(result.unread.end(), dict.others.begin(), dict.others.end());
  return result;
}

}  // namespace cornu::detail
