#pragma once

namespace cornu::detail {

/// While an InterruptGuard exists, Ctrl-C (SIGINT) is recorded. If the program has installed a handler, it is also
/// called each time. Otherwise, the first Ctrl-C does not end the program and the second does.
/// Guards may be nested and may exist in several threads. The first installs the handler, the last restores the
/// previous one, and all of them see the same Ctrl-C. If SIGINT is ignored (nohup, background jobs of a script), it
/// stays ignored.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// True if Ctrl-C was pressed since the first guard alive now was constructed.
  bool interrupted() const;
};

}  // namespace cornu::detail
