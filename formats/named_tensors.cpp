#include "cornu/formats/named_tensors.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/core/text/naming.h"

namespace cornu {

NamedTensors::NamedTensors(std::string path, std::vector<RawTensor> tensors, std::vector<UnreadArray> unread,
                           TensorMetadata metadata)
    : path_(std::move(path)),
      tensors_(std::move(tensors)),
      unread_(std::move(unread)),
      metadata_(std::move(metadata)),
      by_name_(tensors_.size()) {
  std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
}

const RawTensor* NamedTensors::find(std::string_view name) const {
  const auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [&](std::size_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (found != by_name_.end() && tensors_[*found].name == name) return &tensors_[*found];
  detail::require_read(path_, unread_, name);
  return nullptr;
}

Tensor NamedTensors::tensor(std::string_view name) const {
  const RawTensor* const raw = find(name);
  require<FormatError>(raw != nullptr, "{}: there is no tensor \"{}\"", path_, name);
  return detail::naming(path_, [&] { return to_tensor(*raw); });
}

}  // namespace cornu
