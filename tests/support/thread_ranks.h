#pragma once

#include <barrier>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "cornu/core/communicator.h"

/// Ranks that are threads of one process, for tests.
namespace cornu::testing {

class ThreadRanks {
 public:
  explicit ThreadRanks(Index size) : size_(size), meeting_(size), pieces_(static_cast<std::size_t>(size)) {}

  /// Calls job(distribution) for each rank, in a thread of its own. Returns what each threw, or null.
  template <class Job>
  static std::vector<std::exception_ptr> run(Index size, Job job) {
    ThreadRanks ranks(size);
    std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
    std::vector<std::thread> threads;
    for (Index rank = 0; rank < size; ++rank) {
      threads.emplace_back([&, rank] {
        try {
          job(Distribution(std::make_shared<One>(ranks, rank)));
        } catch (...) {
          failures[static_cast<std::size_t>(rank)] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return failures;
  }

 private:
  class One final : public Communicator {
   public:
    One(ThreadRanks& all, Index rank) : all_(all), rank_(rank) {}
    Index rank() const override { return rank_; }
    Index size() const override { return all_.size_; }
    Index threads() const override { return 1; }

    void broadcast(std::span<std::byte> bytes) override {
      show(bytes);
      const std::span<const std::byte> first = all_.pieces_.front();
      if (rank_ > 0) copy(first, bytes);
      meet();
    }
    void all_gather(std::span<const std::byte> own, std::span<std::byte> all) override {
      show(own);
      std::size_t at = 0;
      for (const std::span<const std::byte> piece : all_.pieces_) {
        copy(piece, all.subspan(at, piece.size()));
        at += piece.size();
      }
      meet();
    }
    void gather(std::span<const std::byte> own, std::span<const Index>, std::span<std::byte> all) override {
      show(own);
      std::size_t at = 0;
      for (const std::span<const std::byte> piece : all_.pieces_) {
        if (rank_ == 0) copy(piece, all.subspan(at, piece.size()));
        at += piece.size();
      }
      meet();
    }
    void send(std::span<const std::byte> bytes, Index to) override {
      const std::lock_guard lock(all_.mutex_);
      all_.sent_[{rank_, to}].emplace_back(bytes.begin(), bytes.end());
      all_.has_sent_.notify_all();
    }
    void receive(std::span<std::byte> bytes, Index from) override {
      std::unique_lock lock(all_.mutex_);
      auto& queue = all_.sent_[{from, rank_}];
      all_.has_sent_.wait(lock, [&] { return !queue.empty(); });
      copy(queue.front(), bytes);
      queue.erase(queue.begin());
    }
    void begin_sum(std::span<Real> values) override { sums_.push_back(values); }
    void finish_sums() override {
      for (const std::span<Real> values : sums_) {
        std::vector<Real> all(values.size() * static_cast<std::size_t>(all_.size_));
        all_gather(std::as_bytes(values), std::as_writable_bytes(std::span(all)));
        for (std::size_t i = 0; i < values.size(); ++i) {
          values[i] = 0;
          for (std::size_t at = i; at < all.size(); at += values.size()) values[i] += all[at];
        }
      }
      sums_.clear();
    }

   private:
    void meet() { all_.meeting_.arrive_and_wait(); }
    void show(std::span<const std::byte> bytes) {
      all_.pieces_[static_cast<std::size_t>(rank_)] = bytes;
      meet();
    }
    static void copy(std::span<const std::byte> from, std::span<std::byte> to) {
      if (!to.empty()) std::memcpy(to.data(), from.data(), to.size());
    }

    ThreadRanks& all_;
    Index rank_;
    std::vector<std::span<Real>> sums_;
  };

  Index size_;
  std::barrier<> meeting_;
  std::vector<std::span<const std::byte>> pieces_;
  std::mutex mutex_;
  std::condition_variable has_sent_;
  std::map<std::pair<Index, Index>, std::vector<std::vector<std::byte>>> sent_;
};

}  // namespace cornu::testing
