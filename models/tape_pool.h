#pragma once

#include <array>
#include <atomic>
#include <memory>

#include "cornu/core/autodiff/tape.h"

namespace cornu::detail {

/// Inference tapes kept warm between predictions. Tapes are taken and returned by atomic exchanges, so threads never
/// wait for each other. If no tape is available, a lease creates one; if the pool is full, it deletes its tape.
class TapePool {
 public:
  /// Takes a cleared tape, and returns it to the pool on destruction.
  class Lease {
   public:
    explicit Lease(TapePool& pool) : pool_(pool) {
      for (auto& place : pool_.places_) {
        tape_.reset(place.exchange(nullptr, std::memory_order_acq_rel));
        if (tape_ != nullptr) break;
      }
      if (tape_ == nullptr) tape_ = std::make_unique<Tape>(Mode::inference);
      tape_->clear();
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() {
      for (auto& place : pool_.places_) {
        Tape* expected = nullptr;
        if (place.compare_exchange_strong(expected, tape_.get(), std::memory_order_acq_rel)) {
          static_cast<void>(tape_.release());
          return;
        }
      }
    }

    Tape& operator*() const { return *tape_; }
    Tape* operator->() const { return tape_.get(); }

   private:
    TapePool& pool_;
    std::unique_ptr<Tape> tape_;
  };

  TapePool() = default;
  TapePool(const TapePool&) = delete;
  TapePool& operator=(const TapePool&) = delete;
  ~TapePool() {
    for (auto& place : places_) delete place.load();
  }

 private:
  std::array<std::atomic<Tape*>, 16> places_{};
};

}  // namespace cornu::detail
