#include "cornu/models/distribution/shard_tree.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cornu::detail {

namespace {

void add_to(std::span<Real> sum, std::span<const Real> row) {
  for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += row[i];
}

}  // namespace

std::vector<Real> ShardTree::memory() {
  std::vector<Real> row;
  if (!spare_.empty()) {
    row = std::move(spare_.back());
    spare_.pop_back();
  }
  row.resize(length_);
  return row;
}

void ShardTree::start(std::size_t length) {
  length_ = length;
  for (Node& node : nodes_) spare_.push_back(std::move(node.row));
  nodes_.clear();
}

std::span<Real> ShardTree::next() {
  if (next_.size() != length_) next_ = memory();
  return next_;
}

void ShardTree::add(std::size_t shard) { append({0, shard, std::exchange(next_, {})}); }

/// Adds a node to the right of the others, and combines siblings.
void ShardTree::append(Node node) {
  nodes_.push_back(std::move(node));
  while (nodes_.size() > 1) {
    Node &left = nodes_[nodes_.size() - 2], &right = nodes_.back();
    if (left.level != right.level || left.first % 2 != 0 || right.first != left.first + 1) return;
    add_to(left.row, right.row);
    ++left.level;
    left.first /= 2;
    spare_.push_back(std::move(right.row));
    nodes_.pop_back();
  }
}

void ShardTree::send(const Ranks& ranks, Index to) {
  const std::size_t count = nodes_.size();
  ranks.communicator().send(std::as_bytes(std::span(&count, 1)), to);
  for (const Node& node : nodes_) {
    const std::array<std::size_t, 2> place{node.level, node.first};
    ranks.communicator().send(std::as_bytes(std::span(place)), to);
    ranks.communicator().send(std::as_bytes(std::span(node.row)), to);
  }
}

void ShardTree::receive(const Ranks& ranks, Index from) {
  std::size_t count = 0;
  ranks.communicator().receive(std::as_writable_bytes(std::span(&count, 1)), from);
  for (std::size_t i = 0; i < count; ++i) {
    std::array<std::size_t, 2> place{};
    ranks.communicator().receive(std::as_writable_bytes(std::span(place)), from);
    Node node{place[0], place[1], memory()};
    ranks.communicator().receive(std::as_writable_bytes(std::span(node.row)), from);
    append(std::move(node));
  }
}

void ShardTree::sum(const Ranks& ranks, std::span<Real> total) {
  for (Index step = 1; step < ranks.size(); step *= 2) {
    if (ranks.rank() % (2 * step) == step) {
      send(ranks, ranks.rank() - step);
      break;
    }
    if (ranks.rank() % (2 * step) == 0 && ranks.rank() + step < ranks.size()) receive(ranks, ranks.rank() + step);
  }
  if (ranks.leads()) {
    // The number of shards need not be a power of two: the rest is added from the right.
    std::fill(total.begin(), total.end(), Real{0});
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      if (i + 1 < nodes_.size()) add_to(nodes_[i].row, nodes_[i + 1].row);
    }
    if (!nodes_.empty()) std::copy(nodes_.front().row.begin(), nodes_.front().row.end(), total.begin());
  }
  ranks.share(total);
}

}  // namespace cornu::detail
