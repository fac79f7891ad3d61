#pragma once

#include <memory>
#include <utility>

#include "cornu/core/error.h"

/// What the boxes for any layer, any metric and any callback are made of.
namespace cornu::detail {

/// The base of what such a box holds: it can be copied without its type being known.
template <class B>
struct Cloneable {
  Cloneable() = default;
  Cloneable(const Cloneable&) = default;
  Cloneable& operator=(const Cloneable&) = delete;
  virtual ~Cloneable() = default;
  virtual std::unique_ptr<B> clone() const = 0;
};

/// Owns a B, and copies it when it is copied. After a move it is empty: it can be copied, assigned to and destroyed,
/// any other use throws StateError.
template <class B>
class DeepPtr {
 public:
  DeepPtr(std::unique_ptr<B> owned) : owned_(std::move(owned)) {}
  DeepPtr(const DeepPtr& other) : owned_(other.owned_ == nullptr ? nullptr : other.owned_->clone()) {}
  DeepPtr(DeepPtr&&) noexcept = default;
  DeepPtr& operator=(DeepPtr other) noexcept {
    owned_ = std::move(other.owned_);
    return *this;
  }
  ~DeepPtr() = default;

  B* get() const { return owned_.get(); }
  B& operator*() const {
    if (owned_ == nullptr) [[unlikely]]
      throw StateError("a layer, metric or callback was used after it was moved from");
    return *owned_;
  }
  B* operator->() const { return &**this; }

 private:
  std::unique_ptr<B> owned_;
};

}  // namespace cornu::detail
