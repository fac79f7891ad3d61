#include "cornu/datasets/dataset.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/datasets/gather_mapped.h"

namespace cornu {

namespace {

[[noreturn]] void throw_null() {
  throw StateError("DatasetRef: it refers to no dataset (was it constructed from a null pointer?)");
}

void copy_row(const ConstView& from, Index row, Index width, Real* to) {
  std::copy_n(from.data() + row * width, width, to);
}

}  // namespace

constinit const DatasetRef::Calls DatasetRef::no_calls{
    .size = [](const void*) -> Index { throw_null(); },
    .feature_shape = [](const void*) -> Shape { throw_null(); },
    .target_shape = [](const void*) -> Shape { throw_null(); },
    .gather = [](const void*, std::span<const Index>, View, View) { throw_null(); },
    .prefetch = [](const void*, std::span<const Index>) { throw_null(); },
    .split_gap = [](const void*) -> Index { throw_null(); }};

void DatasetRef::gather_into(Tensor& x, Tensor& y, std::span<const Index> rows) const {
  x.resize(feature_shape().batched(std::ssize(rows)));
  y.resize(target_shape().batched(std::ssize(rows)));
  gather(rows, x, y);
}

void detail::check_gather(const char* where, std::span<const Index> rows, Index size, Index feature_size,
                          Index target_size, const View& x, const View& y) {
  for (const Index row : rows) {
    require<ValueError>(row >= 0 && row < size, "{}: row {} is out of range; there are {} rows", where, row, size);
  }
  const auto count = static_cast<Index>(rows.size());
  require(x.size() == count * feature_size, "{}: x is {}; {} rows of {} elements are required", where, x.shape(), count,
          feature_size);
  require(y.size() == count * target_size, "{}: y is {}; {} rows of {} elements are required", where, y.shape(), count,
          target_size);
}

TensorPair::TensorPair(ConstView x, ConstView y) : x_(x), y_(y) {
  require(x.shape().rank() > 0 && y.shape().rank() > 0 && x.shape()[0] == y.shape()[0],
          "TensorDataset: x is {} but y is {}; their first axes count the samples and must agree", x.shape(),
          y.shape());
}

void TensorPair::gather(std::span<const Index> rows, View x, View y) const {
  const Index x_width = feature_shape().size();
  const Index y_width = target_shape().size();
  detail::check_gather("TensorDataset", rows, size(), x_width, y_width, x, y);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    copy_row(x_, rows[i], x_width, x.data() + static_cast<Index>(i) * x_width);
    copy_row(y_, rows[i], y_width, y.data() + static_cast<Index>(i) * y_width);
  }
}

void TensorPair::prefetch(std::span<const Index> rows) const {
  const Index x_width = feature_shape().size(), y_width = target_shape().size();
  for (const Index row : rows) {
    if (row < 0 || row >= size()) continue;
    detail::prefetch(x_.data() + row * x_width, static_cast<std::size_t>(x_width) * sizeof(Real));
    detail::prefetch(y_.data() + row * y_width, static_cast<std::size_t>(y_width) * sizeof(Real));
  }
}

DatasetSlice::DatasetSlice(DatasetRef dataset, Index first, Index count)
    : dataset_(dataset), first_(first), count_(count) {
  const Index size = dataset.size();
  require<ValueError>(first >= 0 && count >= 0 && first <= size && count <= size - first,
                      "DatasetSlice: {} samples from {} on are out of range; the dataset has {}", count, first, size);
}

void DatasetSlice::gather(std::span<const Index> rows, View x, View y) const {
  const auto shifted = [this](Index row) { return row + first_; };
  detail::gather_mapped("DatasetSlice", dataset_, rows, count_, shifted, x, y);
}

void DatasetSlice::prefetch(std::span<const Index> rows) const {
  detail::prefetch_mapped(dataset_, rows, count_, [this](Index row) { return row + first_; });
}

Split split(DatasetRef dataset, double validation_fraction) {
  require<ValueError>(validation_fraction > 0 && validation_fraction < 1,
                      "split: validation_fraction is {}; it must lie between 0 and 1", validation_fraction);
  const Index size = dataset.size(), gap = std::min(dataset.split_gap(), size), used = size - gap;
  const auto train = static_cast<Index>(std::floor(static_cast<double>(used) * (1 - validation_fraction)));
  const std::string shared = gap == 0 ? "" : message(", {} of which share data with both parts", gap);
  require<ValueError>(train > 0 && train < used,
                      "split: of {} samples{}, validation_fraction {} leaves {} for training and {} for validation; "
                      "both need samples",
                      size, shared, validation_fraction, train, used - train);
  return {.train{dataset, 0, train}, .validation{dataset, train + gap, used - train}};
}

}  // namespace cornu
