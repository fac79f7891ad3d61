#pragma once

#include <memory>
#include <utility>

#include "cornu/core/error.h"

/// Owning pointers for movable types: AnyLayer and the other type-erased boxes, models, open files.
namespace cornu::detail {

/// Base class of type-erased contents: a virtual copy.
template <class B>
struct Cloneable {
  Cloneable() = default;
  Cloneable(const Cloneable&) = default;
  Cloneable& operator=(const Cloneable&) = delete;
  virtual ~Cloneable() = default;
  virtual std::unique_ptr<B> clone() const = 0;
};

/// Base class of interfaces whose objects are used by address and not copied.
struct Polymorphic {
  Polymorphic() = default;
  Polymorphic(const Polymorphic&) = delete;
  Polymorphic& operator=(const Polymorphic&) = delete;
  virtual ~Polymorphic() = default;
};

/// Throws StateError if `holds` is false: the object was moved from.
inline void require_held(bool holds) {
  if (!holds) [[unlikely]]
    throw StateError("an object was used after it was moved from; it can only be assigned to or destroyed");
}

/// Dereferences a pointer. Throws StateError if it is null, as after a move.
template <class Pointer>
auto& held_by(const Pointer& owner) {
  require_held(owner != nullptr);
  return *owner;
}

/// Owns a T. A moved-from pointer can be assigned to and destroyed; any other use throws StateError.
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

/// An OwnedPtr with deep copies. A copy of an empty pointer is empty.
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
