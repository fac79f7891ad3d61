#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "cornu/models/distribution/ranks.h"

namespace cornu::detail {

/// Sums rows of numbers, one per shard of a batch, in an order that depends only on the number of shards: that of a
/// binary tree, ((s0 + s1) + (s2 + s3)) + .... Each rank has consecutive shards. A rank holds one row for each level of
/// the tree at most, and the sum is passed on in as many messages as there are levels of ranks.
class ShardTree {
 public:
  /// length: numbers in a row.
  void start(std::size_t length);
  /// Memory for the row of the next shard, uninitialised.
  std::span<Real> next();
  /// Adds the row that `next` returned last. shard: one more than in the previous call.
  void add(std::size_t shard);
  /// Gives all ranks the sum over all shards of all ranks, in `total`. On ranks without shards, `add` is never called.
  void sum(const Ranks& ranks, std::span<Real> total);

 private:
  /// The sum of the shards [first * 2^level, (first + 1) * 2^level).
  struct Node {
    std::size_t level = 0, first = 0;
    std::vector<Real> row;
  };

  void append(Node node);
  void send(const Ranks& ranks, Index to);
  void receive(const Ranks& ranks, Index from);
  std::vector<Real> memory();

  std::size_t length_ = 0;
  std::vector<Node> nodes_;
  std::vector<Real> next_;
  std::vector<std::vector<Real>> spare_;
};

}  // namespace cornu::detail
