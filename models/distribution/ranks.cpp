#include "cornu/models/distribution/ranks.h"

#include <algorithm>
#include <numeric>

#include "cornu/core/error.h"

namespace cornu::detail {

namespace {

std::string text_of(const std::exception_ptr& failure) {
  if (!failure) return {};
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    return error.what();
  } catch (...) {
    return "an exception of an unknown type";
  }
}

}  // namespace

void Ranks::agree(const std::exception_ptr& failure) const {
  const std::vector<char> failed = of_all(static_cast<char>(failure != nullptr));
  const auto first = std::find(failed.begin(), failed.end(), 1);
  if (first == failed.end()) return;
  const std::vector<std::string> texts = of_all(text_of(failure));
  if (failure) std::rethrow_exception(failure);
  const auto rank = static_cast<std::size_t>(first - failed.begin());
  throw PeerError(message("rank {} of {}: {}", rank, size(), texts[rank]));
}

void Ranks::share(std::string& text) const {
  if (alone()) return;
  std::size_t length = text.size();
  share(length);
  text.resize(length);
  share(std::span(text.data(), length));
}

std::vector<std::string> Ranks::of_all(const std::string& own) const {
  const std::vector<std::size_t> lengths = of_all(own.size());
  const std::size_t longest = *std::max_element(lengths.begin(), lengths.end());
  std::string padded = own, all(longest * lengths.size(), '\0');
  padded.resize(longest);
  if (longest > 0 && !alone()) {
    communicator().all_gather(std::as_bytes(std::span(padded)), std::as_writable_bytes(std::span(all)));
  } else {
    all = padded;
  }
  std::vector<std::string> result;
  for (std::size_t i = 0; i < lengths.size(); ++i) result.push_back(all.substr(i * longest, lengths[i]));
  return result;
}

std::span<const std::byte> Ranks::gathered(std::span<const std::byte> own, std::vector<std::byte>& memory) const {
  if (alone()) return own;
  const std::vector<Index> sizes = of_all(std::ssize(own));
  memory.resize(leads() ? static_cast<std::size_t>(std::accumulate(sizes.begin(), sizes.end(), Index{0})) : 0);
  communicator().gather(own, sizes, memory);
  return memory;
}

}  // namespace cornu::detail
