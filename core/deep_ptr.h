#pragma once

#include <memory>
#include <utility>

#include "cornu/core/error.h"

/// Pointers of objects that can be moved from: boxes for any layer, metric and callback, models, open files.
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

/// Throws StateError unless an object still holds what a move would have taken.
inline void require_held(bool holds) {
  if (!holds) [[unlikely]]
    throw StateError("an object was used after it was moved from; only assigning to it and destroying it are possible");
}

/// What a pointer points to. Throws StateError for null, which is what a move leaves behind.
template <class Pointer>
auto& held_by(const Pointer& owner) {
  require_held(owner != nullptr);
  return *owner;
}

/// Owns a T. After a move it is empty: it can be assigned to and destroyed, any other use throws StateError.
template <class T>
class OwnedPtr {
 public:
  OwnedPtr(std::unique_ptr<T> owned) : owned_(std::move(owned)) {}

  T* get() const { return owned_.get(); }
  T& operator*() const { return held_by(owned_); }
  T* operator->() const { return &held_by(owned_); }

 private:
  std::unique_ptr<T> owned_;
};

/// The same, and copies what it owns when it is copied, nothing being a copy of nothing.
template <class B>
class DeepPtr : public OwnedPtr<B> {
 public:
  using OwnedPtr<B>::OwnedPtr;
  DeepPtr(const DeepPtr& other) : OwnedPtr<B>(other.get() == nullptr ? nullptr : other->clone()) {}
  DeepPtr(DeepPtr&&) noexcept = default;
  DeepPtr& operator=(DeepPtr other) noexcept {
    OwnedPtr<B>::operator=(std::move(other));
    return *this;
  }
  ~DeepPtr() = default;
};

}  // namespace cornu::detail
