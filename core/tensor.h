#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>

#include "cornu/core/shape.h"

namespace cornu {

/// Element type of tensors. The library is also built with double, to check the gradients of the same code.
#ifdef CORNU_REAL_DOUBLE
using Real = double;
#else
using Real = float;
#endif

/// Alignment in bytes of every tensor and every buffer of a tape: a cache line, and the widest vector register.
inline constexpr std::size_t alignment = 64;

/// A pointer to contiguous row-major elements and their shape; owns nothing. Kernels write to it.
/// Nothing is checked: the memory must be valid and match the shape.
class View {
 public:
  View() = default;
  View(Real* data, const Shape& shape) : data_(data), shape_(shape) {}

  Real* data() const { return data_; }
  const Shape& shape() const& { return shape_; }
  Shape shape() const&& { return shape_; }  // views are often temporaries, as in `x.value().shape()`
  Index size() const { return shape_.size(); }
  Real* begin() const { return data_; }
  Real* end() const { return data_ + shape_.size(); }
  Real& operator[](Index i) const { return data_[i]; }

 private:
  Real* data_ = nullptr;
  Shape shape_{0};
};

/// A read-only View.
class ConstView {
 public:
  ConstView() = default;
  ConstView(const Real* data, const Shape& shape) : data_(data), shape_(shape) {}
  ConstView(const View& view) : data_(view.data()), shape_(view.shape()) {}

  const Real* data() const { return data_; }
  const Shape& shape() const& { return shape_; }
  Shape shape() const&& { return shape_; }
  Index size() const { return shape_.size(); }
  const Real* begin() const { return data_; }
  const Real* end() const { return data_ + shape_.size(); }
  const Real& operator[](Index i) const { return data_[i]; }

 private:
  const Real* data_ = nullptr;
  Shape shape_{0};
};

/// An n-dimensional array in row-major order. Owns its memory: copies are deep; a moved-from tensor is empty, with
/// shape (0,), as is a default-constructed one.
class Tensor {
 public:
  Tensor() = default;
  /// All zeros. Throws std::bad_alloc if there is not enough memory.
  explicit Tensor(const Shape& shape);
  /// The given elements in row-major order. Throws ShapeError if their count is not shape.size().
  Tensor(const Shape& shape, std::initializer_list<Real> values);
  Tensor(const Shape& shape, std::span<const Real> values);
  /// A copy of the view's elements.
  explicit Tensor(ConstView view);

  Tensor(const Tensor& other);
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(const Tensor& other);
  Tensor& operator=(Tensor&& other) noexcept;
  ~Tensor() = default;

  static Tensor full(const Shape& shape, Real value);
  static Tensor scalar(Real value) { return full({}, value); }
  /// Rank 1 and rank 2 from nested braces: `Tensor::matrix({{1, 2}, {3, 4}})`. Throws ShapeError for ragged rows.
  static Tensor vector(std::initializer_list<Real> values);
  static Tensor matrix(std::initializer_list<std::initializer_list<Real>> rows);

  const Shape& shape() const { return shape_; }
  Index rank() const { return shape_.rank(); }
  Index size() const { return shape_.size(); }
  bool empty() const { return shape_.empty(); }

  Real* data() { return data_.get(); }
  const Real* data() const { return data_.get(); }
  Real* begin() { return data_.get(); }
  Real* end() { return data_.get() + size(); }
  const Real* begin() const { return data_.get(); }
  const Real* end() const { return data_.get() + size(); }

  /// Element i in row-major order, unchecked.
  Real& operator[](Index i) { return data_.get()[i]; }
  const Real& operator[](Index i) const { return data_.get()[i]; }
  /// The element at one index per axis. Throws ShapeError for a wrong number of indices or one out of range.
  Real& at(std::initializer_list<Index> indices) { return data_.get()[offset(indices)]; }
  const Real& at(std::initializer_list<Index> indices) const { return data_.get()[offset(indices)]; }
  /// The value of a tensor of one element. Throws ShapeError for another size.
  Real item() const;

  View view() & { return {data(), shape_}; }
  ConstView view() const& { return {data(), shape_}; }
  ConstView view() const&& = delete;  // the view would dangle; as an argument a temporary converts implicitly
  operator View() { return {data(), shape_}; }
  operator ConstView() const { return {data(), shape_}; }

  void fill(Real value);
  /// Changes the shape in place. Throws ShapeError if the sizes differ.
  void reshape(const Shape& shape);
  /// Changes shape and size; the elements are unspecified afterwards. Allocates only if the memory is too small.
  void resize(const Shape& shape);

 private:
  struct Deleter {
    void operator()(Real* data) const;
  };

  Index offset(std::initializer_list<Index> indices) const;

  std::unique_ptr<Real[], Deleter> data_;
  Index capacity_ = 0;
  Shape shape_{0};
};

/// Equal shapes and equal elements. A NaN equals nothing.
bool operator==(const Tensor& a, const Tensor& b);

/// Prints like NumPy: nested brackets, aligned columns, long axes abbreviated.
std::string to_string(const Tensor& tensor);

}  // namespace cornu
