#pragma once

#include <cstddef>
#include <exception>
#include <span>
#include <vector>

#include "cornu/models/callbacks/callback.h"
#include "cornu/models/distribution/ranks.h"

namespace cornu::detail {

/// Gives all ranks what rank 0 has.
void share(const Ranks& ranks, Logs& logs);
void share(const Ranks& ranks, History& history);

/// Calls the callbacks of a run, in order. In a distributed run, those that rank 0 alone calls decide for all: what
/// they change in the run and the model is copied to the other ranks after each hook.
class Callbacks {
 public:
  /// Leaves in `all` the callbacks of this rank. The arguments must outlive this object.
  Callbacks(std::vector<AnyCallback>& all, Run& run, const Ranks& ranks = Ranks({}));

  void operator()(Hook hook, Index index, Logs& logs) const {
    call(hook, logs, [&] {
      for (AnyCallback& callback : all_) callback.call(hook, run_, index, logs);
    });
  }

  /// Calls `begin`, then body(), then `end` for each callback whose `begin` returned, even after exceptions. Rethrows
  /// the first exception.
  template <class Body>
  void during(Hook begin, Hook end, Logs& logs, Body body) const {
    std::size_t begun = 0;
    const auto end_all = [&] {
      for (AnyCallback& callback : std::span(all_).first(begun)) {
        try {
          callback.call(end, run_, 0, logs);
        } catch (...) {
          if (!run_.error) run_.error = std::current_exception();
        }
      }
    };
    try {
      call(begin, logs, [&] {
        for (AnyCallback& callback : all_) {
          callback.call(begin, run_, 0, logs);
          ++begun;
        }
      });
      body();
    } catch (...) {
      run_.error = std::current_exception();
      end_all();
      throw;
    }
    call(end, logs, [&] {
      end_all();
      if (run_.error) std::rethrow_exception(run_.error);
    });
  }

  /// True if another rank handles the hook, or this one in a distributed run.
  bool is_handled(Hook hook) const { return handled_[static_cast<std::size_t>(hook)]; }
  /// False while the ranks have different weights on purpose.
  void set_shares_model(bool shares) { shares_model_ = shares; }

 private:
  /// Runs `calls` and, if another rank handles the hook, too, shares what it changed.
  template <class Calls>
  void call(Hook hook, Logs& logs, const Calls& calls) const {
    if (ranks_.alone() || !is_handled(hook)) {
      calls();
    } else {
      ranks_.run(calls);
      share(hook, logs);
    }
  }
  void share(Hook hook, Logs& logs) const;

  std::vector<AnyCallback>& all_;
  Run& run_;
  Ranks ranks_;
  std::vector<bool> handled_;  // by any rank
  bool shares_model_ = true;
};

}  // namespace cornu::detail
