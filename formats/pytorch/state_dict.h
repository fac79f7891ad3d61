#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cornu/formats/pytorch/pickle.h"
#include "cornu/formats/raw_tensor.h"

namespace cornu::detail {

/// A dict of tensors in a pickle.
struct StateDict {
  std::vector<std::pair<std::string, PickleId>> tensors{};
  std::vector<UnreadArray> others{};  ///< entries that are not tensors
};

/// The dict of tensors that a pickle is, or that is a value of the dict that it is: a checkpoint with the epoch, the
/// optimizer's state and so on. Throws FormatError if there is none, or, listing them, if there are several; also for a
/// name that is not UTF-8 or occurs twice. Charges the result to the MemoryLimit.
StateDict find_state_dict(const Pickle& pickle);

}  // namespace cornu::detail
