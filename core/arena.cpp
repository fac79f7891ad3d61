#include "cornu/core/arena.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <new>

#include "cornu/core/memory_limit.h"
#include "cornu/core/tensor.h"

namespace cornu::detail {

namespace {
constexpr std::size_t smallest_chunk = 64 * 1024;
}

void Arena::Deleter::operator()(std::byte* memory) const {
  ::operator delete(memory, std::align_val_t(alignment));
  detail::MemoryLimit::give_back(size);
}

Arena::Chunk Arena::make_chunk(std::size_t size) {
  detail::MemoryLimit::charge(detail::MemoryLimit::passes, size);
  auto* memory = static_cast<std::byte*>(::operator new(size, std::align_val_t(alignment)));
  return {std::unique_ptr<std::byte, Deleter>(memory, Deleter{size})};
}

void* Arena::allocate(std::size_t bytes) {
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max() / 4;
  if (bytes > most) {
    detail::MemoryLimit::charge(detail::MemoryLimit::passes, most);
    throw std::bad_alloc();
  }
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (chunks_.empty() || chunks_.back().size() - used_ < rounded) {
    chunks_.push_back(make_chunk(std::max({rounded, capacity(), smallest_chunk})));
    used_ = 0;
  }
  void* result = chunks_.back().memory.get() + used_;
  used_ += rounded;
  return result;
}

void Arena::clear() {
  used_ = 0;
  if (chunks_.size() < 2) return;
  const std::size_t total = capacity();
  chunks_.clear();
  chunks_.push_back(make_chunk(total));
}

bool Arena::owns(const void* address) const {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  return std::any_of(chunks_.begin(), chunks_.end(), [=](const Chunk& chunk) {
    return at - reinterpret_cast<std::uintptr_t>(chunk.memory.get()) <
           chunk.size();  // an address below wraps to a large difference
  });
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const Chunk& chunk : chunks_) total += chunk.size();
  return total;
}

}  // namespace cornu::detail
