#include "cornu/datasets/npz.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"

namespace cornu {

namespace {

/// The labels as bytes, if all elements of y are labels from 0 to 255.
std::optional<std::vector<std::uint8_t>> labels_of(const Tensor& y) {
  if (y.shape().rank() != 1) return std::nullopt;
  std::vector<std::uint8_t> labels;
  for (const Real label : y) {
    if (!(label >= 0 && label <= 255) || label != std::floor(label)) return std::nullopt;
    labels.push_back(static_cast<std::uint8_t>(label));
  }
  return labels;
}

std::variant<TensorDataset, ImageDataset> data_of(const RawTensor& x, const RawTensor& y) {
  require(!x.shape.empty() && !y.shape.empty() && x.shape[0] == y.shape[0],
          R"("{}" is {} but "{}" is {}; their first axes count the samples and must agree)", x.name,
          to_string(std::span(x.shape)), y.name, to_string(std::span(y.shape)));
  Tensor targets = to_tensor(y);
  const bool images = x.dtype == Dtype::u8 && x.shape.size() >= 3;
  if (images && std::ssize(x.shape) <= Shape::max_rank) {
    if (auto labels = labels_of(targets)) {
      const Index classes = labels->empty() ? 1 : *std::max_element(labels->begin(), labels->end()) + 1;
      const auto* const pixels = reinterpret_cast<const std::uint8_t*>(x.bytes.data());
      return ImageDataset(std::vector(pixels, pixels + x.bytes.size()), std::move(*labels),
                          {.shape = Shape(x.shape).sub(1), .classes = classes});
    }
  }
  Tensor features = to_tensor(x);
  if (images) {
    for (Real& pixel : features) pixel /= 255;
  }
  return TensorDataset(std::move(features), std::move(targets));
}

}  // namespace

ArrayDataset::ArrayDataset(const RawTensor& x, const RawTensor& y) : data_(data_of(x, y)) {}

Index ArrayDataset::size() const {
  return std::visit([](const auto& data) { return data.size(); }, data_);
}
Shape ArrayDataset::feature_shape() const {
  return std::visit([](const auto& data) { return data.feature_shape(); }, data_);
}
Shape ArrayDataset::target_shape() const {
  const auto* const tensors = std::get_if<TensorDataset>(&data_);
  return tensors == nullptr ? Shape{} : tensors->target_shape();
}
void ArrayDataset::gather(std::span<const Index> rows, View x, View y) const {
  std::visit([&](const auto& data) { data.gather(rows, x, y); }, data_);
}
void ArrayDataset::prefetch(std::span<const Index> rows) const {
  std::visit([&](const auto& data) { data.prefetch(rows); }, data_);
}

datasets::NpzData datasets::npz(const std::string& path, const NpzNames& names) { return npz(NpzFile(path), names); }

datasets::NpzData datasets::npz(const NpzFile& file, const NpzNames& names) {
  const auto dataset = [&](const std::string& x, const std::string& y) {
    const RawTensor &features = file.array(x), &targets = file.array(y);
    return cornu::detail::naming(file.path(), [&] { return ArrayDataset(features, targets); });
  };
  return {.train = dataset(names.x_train, names.y_train), .test = dataset(names.x_test, names.y_test)};
}

}  // namespace cornu
