#include "cornu/core/memory_limit.h"

#include "cornu/core/error.h"

namespace cornu::detail {

constinit thread_local MemoryLimit* MemoryLimit::current = nullptr;

MemoryLimit::MemoryLimit(std::size_t tensor_bytes, std::size_t pass_bytes)
    : outer_(current), limits_{tensor_bytes, pass_bytes}, left_{tensor_bytes, pass_bytes} {
  current = this;
}

MemoryLimit::~MemoryLimit() { current = outer_; }

void MemoryLimit::take(Kind kind, std::size_t bytes) {
  require<FormatError>(bytes <= left_[kind], "{} needs {} bytes, more than the {} allowed for this file{}",
                       kind == tensors ? "it" : "a pass over one sample", limits_[kind] - left_[kind] + bytes,
                       limits_[kind], kind == tensors ? "" : " (to allow more, set .pass_memory)");
  left_[kind] -= bytes;
}

}  // namespace cornu::detail
