#include "cornu/core/arena.h"

#include <algorithm>
#include <cstdint>
#include <functional>
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
  std::byte* result = free_.empty() ? nullptr : reused(rounded);
  if (result == nullptr) {
    if (chunks_.empty() || chunks_.back().size() - used_ < rounded) {
      chunks_.push_back(make_chunk(std::max({rounded, capacity(), smallest_chunk})));
      used_ = 0;
    }
    result = chunks_.back().memory.get() + used_;
    used_ += rounded;
  }
  if (recycles_ && rounded > 0) pieces_.push_back({result, rounded});
  return result;
}

void Arena::start_recycling() {
  recycles_ = true;
  pieces_.clear();
}

void Arena::stop_recycling() {
  recycles_ = false;
  pieces_.clear();
}

Arena::Piece* Arena::piece_of(const void* address) {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  const auto found = std::find_if(pieces_.begin(), pieces_.end(), [=](const Piece& piece) {
    return at - reinterpret_cast<std::uintptr_t>(piece.memory) < piece.size;
  });
  return found == pieces_.end() ? nullptr : &*found;
}

void Arena::hold(const void* address) {
  if (Piece* const piece = piece_of(address)) ++piece->users;
}

void Arena::release(const void* address) {
  if (Piece* const piece = piece_of(address)) --piece->users;
}

void Arena::sweep() {
  for (const Piece& piece : pieces_) {
    if (piece.users == 0) set_free(piece);
  }
  std::erase_if(pieces_, [](const Piece& piece) { return piece.users == 0; });
}

/// Free pieces that lie side by side in one chunk become one.
void Arena::set_free(Piece piece) {
  const auto next = std::lower_bound(free_.begin(), free_.end(), piece,
                                     [](const Piece& a, const Piece& b) { return std::less<>()(a.memory, b.memory); });
  const auto joins = [this](const Piece& a, const Piece& b) {
    return a.memory + a.size == b.memory && std::none_of(chunks_.begin(), chunks_.end(), [&](const Chunk& chunk) {
             return chunk.memory.get() == b.memory;
           });
  };
  const auto at = free_.insert(next, piece);
  if (at + 1 != free_.end() && joins(*at, *(at + 1))) {
    at->size += (at + 1)->size;
    free_.erase(at + 1);
  }
  if (at != free_.begin() && joins(*(at - 1), *at)) {
    (at - 1)->size += at->size;
    free_.erase(at);
  }
}

/// The smallest piece that is large enough: large ones stay whole for large values.
std::byte* Arena::reused(std::size_t size) {
  auto best = free_.end();
  for (auto piece = free_.begin(); piece != free_.end(); ++piece) {
    if (piece->size >= size && (best == free_.end() || piece->size < best->size)) best = piece;
  }
  if (best == free_.end()) return nullptr;
  std::byte* const result = best->memory;
  best->memory += size;
  best->size -= size;
  if (best->size == 0) free_.erase(best);
  return result;
}

void Arena::clear() {
  used_ = 0;
  recycles_ = false;
  pieces_.clear();
  free_.clear();
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
