#pragma once

// Included only by keras/hdf5_*.cpp.
#include <hdf5.h>

#include <mutex>
#include <span>
#include <utility>

#include "cornu/core/error.h"

namespace cornu::keras::detail {

/// An identifier of libhdf5, closed by the destructor.
class Handle {
 public:
  /// Throws FormatError with `what` if libhdf5 returned an error instead of an identifier.
  Handle(hid_t id, herr_t (*close)(hid_t), const char* what) : id_(id), close_(close) {
    require<FormatError>(id >= 0, "libhdf5 cannot read {}; is the file damaged?", what);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Throws FormatError for a negative result of libhdf5. Returns the result.
template <class T>
T well(T result, const char* what) {
  require<FormatError>(result >= 0, "libhdf5 cannot read {}; is the file damaged?", what);
  return result;
}

/// While it exists, no other thread of this component calls libhdf5, which prints no errors and loads no plugins.
class Hdf5Session {
 public:
  Hdf5Session();
  ~Hdf5Session();
  Hdf5Session(const Hdf5Session&) = delete;
  Hdf5Session& operator=(const Hdf5Session&) = delete;

 private:
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock_;
  H5E_auto2_t print_ = nullptr;
  void* print_data_ = nullptr;
  unsigned plugins_ = 0;
};

/// Opens bytes in memory as a file, without copying them. They must outlive the handle.
Handle open_image(std::span<const std::byte>& bytes);

}  // namespace cornu::keras::detail
