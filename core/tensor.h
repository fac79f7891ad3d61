#pragma once

#include <initializer_list>
#include <memory>
#include <span>
#include <string>

#include "cornu/core/shape.h"

namespace cornu {

/// The number that tensors hold. The library is also built with double, to check gradients on the very same code.
#ifdef CORNU_REAL_DOUBLE
using Real = double;
#else
using Real = float;
#endif

/// Every tensor and every buffer of a tape starts at a multiple of this: a cache line, and the widest vector register.
inline constexpr std::size_t alignment = 64;

/// Contiguous row-major numbers that somebody else owns, with their shape: what a kernel writes to.
/// A pointer, a Shape, and no checks; whoever makes one vouches for it.
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

/// The same for reading.
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

/// Numbers in row-major order, with their shape. Owns its memory: a copy is deep, a move is cheap and leaves an empty
/// tensor of shape (0,) behind. A tensor made by default is empty in the same way.
class Tensor {
 public:
  Tensor() = default;
  /// All zeros. Throws std::bad_alloc if the memory cannot be had.
  explicit Tensor(const Shape& shape);
  /// The given numbers, row by row. Throws ShapeError if there are more or fewer than the shape has.
  Tensor(const Shape& shape, std::initializer_list<Real> values);
  Tensor(const Shape& shape, std::span<const Real> values);
  /// A copy of what the view shows.
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

  /// Element i of the flat, row-major order. Not checked; `at` is.
  Real& operator[](Index i) { return data_.get()[i]; }
  const Real& operator[](Index i) const { return data_.get()[i]; }
  /// One index for each axis. Throws ShapeError for another number of them, or one out of range.
  Real& at(std::initializer_list<Index> indices) { return data_.get()[offset(indices)]; }
  const Real& at(std::initializer_list<Index> indices) const { return data_.get()[offset(indices)]; }
  /// The number of a tensor that has just one. Throws ShapeError for any other size.
  Real item() const;

  View view() & { return {data(), shape_}; }
  ConstView view() const& { return {data(), shape_}; }
  ConstView view() const&& = delete;  // as an argument a temporary converts by itself; kept, the view would dangle
  operator View() { return {data(), shape_}; }
  operator ConstView() const { return {data(), shape_}; }

  void fill(Real value);
  /// Takes another shape of the same size, in place, without copying. Throws ShapeError if the sizes differ.
  void reshape(const Shape& shape);
  /// Takes a new shape of any size. The numbers are unspecified afterwards. Keeps its memory where that is enough.
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

/// Equal shapes and equal numbers; as for numbers, a NaN equals nothing.
bool operator==(const Tensor& a, const Tensor& b);

/// As NumPy prints it: nested brackets, aligned columns, long axes shortened to their ends.
std::string to_string(const Tensor& tensor);

}  // namespace cornu
