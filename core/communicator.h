#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "cornu/core/tensor.h"

namespace cornu {

/// Processes that work on one model together, numbered by their rank, from 0. All of them call the same functions in
/// the same order, each from one thread at a time; a call returns when the others have called, too. cornu::mpi
/// implements it.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  virtual Index rank() const = 0;
  virtual Index size() const = 0;
  /// The most threads that this rank should use, so that the ranks of a machine share its cores; 0: not known.
  virtual Index threads() const { return 0; }
  /// Gives all ranks the bytes of rank 0.
  virtual void broadcast(std::span<std::byte> bytes) = 0;
  /// Gives all ranks the bytes of every rank, in order of rank: the same number from each.
  virtual void all_gather(std::span<const std::byte> own, std::span<std::byte> all) = 0;
  /// Gives rank 0 the bytes of every rank, in order of rank. sizes: of each rank's bytes, known to all. On other ranks,
  /// `all` is empty.
  virtual void gather(std::span<const std::byte> own, std::span<const Index> sizes, std::span<std::byte> all) = 0;
  virtual void send(std::span<const std::byte> bytes, Index to) = 0;
  virtual void receive(std::span<std::byte> bytes, Index from) = 0;
  /// Begins to replace values by their sums over all ranks, which are the same bits on each; the order of the summands
  /// is not specified. The values must not be used until `finish_sums` returns.
  virtual void begin_sum(std::span<Real> values) = 0;
  /// Lets the sums advance, without waiting.
  virtual void progress() {}
  virtual void finish_sums() = 0;
};

/// The processes that share the work of `fit`, `evaluate` or `predict`: `mpi::world()`. A default one is this process
/// alone.
class Distribution {
 public:
  Distribution() = default;
  explicit Distribution(std::shared_ptr<Communicator> communicator) : communicator_(std::move(communicator)) {}

  Index rank() const { return communicator_ ? communicator_->rank() : 0; }
  Index size() const { return communicator_ ? communicator_->size() : 1; }
  /// Null for this process alone.
  Communicator* communicator() const { return communicator_.get(); }

 private:
  std::shared_ptr<Communicator> communicator_;
};

}  // namespace cornu
