#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"
#include "cornu/formats/pytorch/pickle.h"

/// Internal to formats/pytorch.
namespace cornu::detail {

/// push_back that charges the memory by which the vector grows.
template <class T>
void add_charged(std::vector<T>& to, T value) {
  if (to.size() == to.capacity()) {
    const std::size_t more = std::max<std::size_t>(4, to.capacity() / 2);
    MemoryLimit::charge(MemoryLimit::tensors, more * sizeof(T));
    to.reserve(to.capacity() + more);
  }
  to.push_back(std::move(value));
}

/// The bytes of a pickle and the state of its interpreter: values, stack, marks and memo. All functions throw
/// FormatError if the pickle asks for what is not there, or exceeds the MemoryLimit.
class PickleMachine {
 protected:
  explicit PickleMachine(std::span<const std::byte> bytes)
      : bytes_(reinterpret_cast<const char*>(bytes.data()), bytes.size()) {
    small_.fill(no_value);
  }

  // ---- Bytes ----

  std::string_view take(std::uint64_t size) {
    require<FormatError>(size <= bytes_.size() - at_, "{} more bytes are needed, but {} are left", size,
                         bytes_.size() - at_);
    const std::string_view taken = bytes_.substr(at_, size);
    at_ += taken.size();
    return taken;
  }

  /// A little-endian number of up to 8 bytes, without a sign.
  std::uint64_t number(std::size_t size) {
    std::uint64_t result = 0;
    const std::string_view digits = take(size);
    for (std::size_t i = size; i-- > 0;) result = result << 8 | static_cast<unsigned char>(digits[i]);
    return result;
  }

  std::string_view line() {
    const std::size_t end = bytes_.find('\n', at_);
    require<FormatError>(end != std::string_view::npos, "a name has no end");
    const std::string_view text = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }

  // ---- Stack ----

  PickleValue& at(PickleId id) { return pickle_.values[id]; }
  void push(PickleId id) { add_charged(stack_, id); }
  void make(PickleValue value) {
    require<FormatError>(pickle_.values.size() < PickleId(-1), "too many values");
    add_charged(pickle_.values, std::move(value));
    push(static_cast<PickleId>(pickle_.values.size() - 1));
  }
  /// A value that does not change and occurs often: once in the pickle's memory. `slot` is initially no_value.
  void make_shared(PickleId& slot, PickleValue value) {
    if (slot != no_value) return push(slot);
    make(std::move(value));
    slot = top();
  }
  void make_integer(std::int64_t value) {
    PickleValue integer{.kind = PickleValue::Kind::integer, .number = value};
    if (value < 0 || value >= std::ssize(small_)) return make(std::move(integer));
    make_shared(small_[static_cast<std::size_t>(value)], std::move(integer));
  }

  /// The values above the last mark can be used.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleId top() const {
    require<FormatError>(stack_.size() > floor(), "a value is missing");
    return stack_.back();
  }
  PickleId pop() {
    const PickleId id = top();
    stack_.pop_back();
    return id;
  }
  /// The values above `from`, which are removed.
  std::vector<PickleId> take_from(std::size_t from) {
    std::vector<PickleId> items(stack_.begin() + static_cast<std::ptrdiff_t>(from), stack_.end());
    MemoryLimit::charge(MemoryLimit::tensors, items.size() * sizeof(PickleId));
    stack_.resize(from);
    return items;
  }
  std::vector<PickleId> take_marked() {
    require<FormatError>(!marks_.empty(), "a mark is missing");
    const std::size_t from = marks_.back();
    marks_.pop_back();
    return take_from(from);
  }
  std::vector<PickleId> take_last(std::size_t count) {
    require<FormatError>(stack_.size() - floor() >= count, "a value is missing");
    return take_from(stack_.size() - count);
  }

  PickleValue& container(PickleValue::Kind kind) {
    PickleValue& value = at(top());
    require<FormatError>(value.kind == kind, "{} where {} is required", name_of(value.kind), name_of(kind));
    return value;
  }
  void extend(PickleValue::Kind kind, const std::vector<PickleId>& items) {
    PickleValue& value = container(kind);
    require<FormatError>(kind != PickleValue::Kind::dict || items.size() % 2 == 0, "a key has no value");
    for (const PickleId item : items) add_charged(value.items, item);
  }

  // ---- Memo ----

  void put(std::uint64_t index) {
    // Python numbers values in order, so an index cannot exceed the number of bytes.
    require<FormatError>(index < bytes_.size(), "memo {} in a pickle of {} bytes", index, bytes_.size());
    const PickleId id = top();
    while (memo_.size() <= index) add_charged(memo_, no_value);
    memo_[index] = id;
  }
  void get(std::uint64_t index) {
    require<FormatError>(index < memo_.size() && memo_[index] != no_value, "memo {} was not set", index);
    push(memo_[index]);
  }

  static constexpr PickleId no_value = PickleId(-1);

  // NOLINTBEGIN(readability-identifier-naming): protected members end in an underscore, too
  std::string_view bytes_;
  std::size_t at_ = 0;
  Pickle pickle_{};
  std::vector<PickleId> stack_{}, memo_{};
  std::vector<std::size_t> marks_{};  // positions in the stack
  PickleId none_ = no_value, false_ = no_value, true_ = no_value, empty_tuple_ = no_value;
  std::array<PickleId, 256> small_{};  // integers
  // NOLINTEND(readability-identifier-naming)
};

}  // namespace cornu::detail
