#pragma once

#include <algorithm>
#include <array>

#include "cornu/datasets/dataset.h"

namespace cornu::detail {

/// Gathers the rows map(row) of the dataset, for rows below `size`. Throws like check_gather.
template <class Map>
void gather_mapped(const char* where, DatasetRef dataset, std::span<const Index> rows, Index size, Map map, View x,
                   View y) {
  const Shape features = dataset.feature_shape(), targets = dataset.target_shape();
  check_gather(where, rows, size, features.size(), targets.size(), x, y);
  std::array<Index, 256> mapped;  // in pieces that fit on the stack
  for (std::size_t done = 0; done < rows.size();) {
    const std::size_t count = std::min(rows.size() - done, mapped.size());
    for (std::size_t i = 0; i < count; ++i) mapped[i] = map(rows[done + i]);
    const auto offset = static_cast<Index>(done), batch = static_cast<Index>(count);
    dataset.gather({mapped.data(), count}, View(x.data() + offset * features.size(), features.batched(batch)),
                   View(y.data() + offset * targets.size(), targets.batched(batch)));
    done += count;
  }
}

/// Prefetches them. Rows out of range are ignored.
template <class Map>
void prefetch_mapped(DatasetRef dataset, std::span<const Index> rows, Index size, Map map) {
  for (const Index row : rows) {
    if (row < 0 || row >= size) continue;
    const Index mapped = map(row);
    dataset.prefetch({&mapped, 1});
  }
}

}  // namespace cornu::detail
