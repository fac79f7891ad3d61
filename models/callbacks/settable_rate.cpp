#include "cornu/models/callbacks/settable_rate.h"

#include "cornu/core/error.h"

namespace cornu::detail {

void require_settable_rate(const char* callback, const Optimizer& optimizer) {
  const auto& replaced = optimizer.replaced_learning_rate();
  require<ValueError>(!(replaced ? *replaced : optimizer.rule().learning_rate()).is_schedule(),
                      "{}: the optimizer's learning_rate is a schedule, which a rate set by the callback would "
                      "replace; give the optimizer a constant learning_rate, or remove the callback",
                      callback);
}

}  // namespace cornu::detail
