#include "cornu/models/streaming/ring.h"

#include <algorithm>

namespace cornu::detail {

void StreamRing::repeat(Index rows, Real* state) const {
  const Index first = place(state), end = first + rows;
  if (end > length) std::copy_n(row(length, state), (end - length) * width, row(0, state));
  if (first < block) {
    std::copy_n(row(first, state), (std::min(end, block) - first) * width, row(length + first, state));
  }
}

void StreamRing::advance(Index rows, Real* state) const {
  const Index end = place(state) + rows;
  state[place_at()] = static_cast<Real>(end < length ? end : end - length);
}

}  // namespace cornu::detail
