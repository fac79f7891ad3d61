#include "cornu/core/tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <new>
#include <utility>
#include <vector>

#include "cornu/core/error.h"
#include "cornu/core/memory_limit.h"

namespace cornu {

namespace {

Real* allocate(Index size) {
  if (size == 0) return nullptr;
  const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(Real);
  detail::MemoryLimit::charge(detail::MemoryLimit::tensors, bytes);
  return static_cast<Real*>(::operator new[](bytes, std::align_val_t(alignment)));
}

}  // namespace

void Tensor::Deleter::operator()(Real* data) const { ::operator delete[](data, std::align_val_t(alignment)); }

Tensor::Tensor(const Shape& shape) : data_(allocate(shape.size())), capacity_(shape.size()), shape_(shape) { fill(0); }

Tensor::Tensor(const Shape& shape, std::initializer_list<Real> values)
    : Tensor(shape, std::span<const Real>(values.begin(), values.size())) {}

Tensor::Tensor(const Shape& shape, std::span<const Real> values) {
  require(shape.size() == static_cast<Index>(values.size()), "Tensor: shape {} needs {} elements, {} were given", shape,
          shape.size(), values.size());
  resize(shape);
  std::copy(values.begin(), values.end(), data());
}

Tensor::Tensor(ConstView view) {
  resize(view.shape());
  std::copy(view.begin(), view.end(), data());
}

Tensor::Tensor(const Tensor& other) : Tensor(other.view()) {}

Tensor::Tensor(Tensor&& other) noexcept
    : data_(std::move(other.data_)),
      capacity_(std::exchange(other.capacity_, 0)),
      shape_(std::exchange(other.shape_, Shape{0})) {}

Tensor& Tensor::operator=(const Tensor& other) {
  if (this != &other) {
    resize(other.shape());
    std::copy(other.begin(), other.end(), data());
  }
  return *this;
}

Tensor& Tensor::operator=(Tensor&& other) noexcept {
  data_ = std::move(other.data_);
  capacity_ = std::exchange(other.capacity_, 0);
  shape_ = std::exchange(other.shape_, Shape{0});
  return *this;
}

Tensor Tensor::full(const Shape& shape, Real value) {
  Tensor result(shape);
  result.fill(value);
  return result;
}

Tensor Tensor::vector(std::initializer_list<Real> values) { return {Shape{static_cast<Index>(values.size())}, values}; }

Tensor Tensor::matrix(std::initializer_list<std::initializer_list<Real>> rows) {
  const std::size_t columns = rows.size() == 0 ? 0 : rows.begin()->size();
  Tensor result(Shape{static_cast<Index>(rows.size()), static_cast<Index>(columns)});
  Real* out = result.data();
  for (const auto& row : rows) {
    require(row.size() == columns, "Tensor::matrix: a row has {} elements, the first row has {}", row.size(), columns);
    out = std::copy(row.begin(), row.end(), out);
  }
  return result;
}

Real Tensor::item() const {
  require(size() == 1, "Tensor::item: a tensor of shape {} has {} elements, one is required", shape_, size());
  return data_[0];
}

void Tensor::fill(Real value) { std::fill(begin(), end(), value); }

void Tensor::reshape(const Shape& shape) {
  require(shape.size() == size(), "Tensor::reshape: {} has {} elements, {} has {}", shape_, size(), shape,
          shape.size());
  shape_ = shape;
}

void Tensor::resize(const Shape& shape) {
  if (shape.size() > capacity_) {
    data_.reset(allocate(shape.size()));
    capacity_ = shape.size();
  }
  shape_ = shape;
}

Index Tensor::offset(std::initializer_list<Index> indices) const {
  const auto text = [&] { return to_string(std::span(indices.begin(), indices.size())); };
  if (static_cast<Index>(indices.size()) != rank()) [[unlikely]]
    throw ShapeError(
        message("Tensor::at: index {} has {} axes, the shape {} has {}", text(), indices.size(), shape_, rank()));
  Index result = 0;
  const Index* dimension = shape_.dimensions().data();
  for (const Index index : indices) {
    if (index < 0 || index >= *dimension) [[unlikely]]
      throw ShapeError(message("Tensor::at: index {} is outside the shape {}", text(), shape_));
    result = result * *dimension++ + index;
  }
  return result;
}

bool operator==(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && std::equal(a.begin(), a.end(), b.begin());
}

namespace {

constexpr Index edge_items = 3;
constexpr Index longest_whole = 1000;

/// Calls visit(i) for the printed items of an axis of n items, and visit(-1) once for the omitted ones.
template <class Visit>
void visit_axis(Index n, bool shorten, Visit visit) {
  for (Index i = 0; i < n; ++i) {
    if (shorten && n > 2 * edge_items && i == edge_items) {
      visit(Index{-1});
      i = n - edge_items;
    }
    visit(i);
  }
}

/// Appends the subtensor at `offset`, each element padded to `width`. Returns the width of the widest element.
std::size_t print(const Tensor& tensor, Index axis, Index offset, bool shorten, std::size_t width, std::string& out) {
  if (axis == tensor.rank()) {
    const std::string number = fmt::format("{:.6g}", tensor[offset]);
    out += fmt::format("{:>{}}", number, width);
    return number.size();
  }
  const bool innermost = axis == tensor.rank() - 1;
  Index stride = 1;
  for (Index a = axis + 1; a < tensor.rank(); ++a) stride *= tensor.shape()[a];
  std::size_t widest = 0;
  out += '[';
  visit_axis(tensor.shape()[axis], shorten, [&](Index i) {
    if (i != 0) {
      out += innermost ? " " : "\n" + std::string(static_cast<std::size_t>(axis + 1), ' ');
    }
    if (i < 0) {
      out += "...";
    } else {
      widest = std::max(widest, print(tensor, axis + 1, offset + i * stride, shorten, width, out));
    }
  });
  out += ']';
  return widest;
}

}  // namespace

std::string to_string(const Tensor& tensor) {
  const bool shorten = tensor.size() > longest_whole;
  std::string out;
  const std::size_t widest = print(tensor, 0, 0, shorten, 0, out);  // first pass: only to measure
  out.clear();
  print(tensor, 0, 0, shorten, widest, out);
  return out;
}

}  // namespace cornu
