#pragma once

namespace cornu {

/// While one lives, Ctrl-C (SIGINT) is noted. A handler that the program has installed is called as well, every time.
/// Without one, the first Ctrl-C does not end the program, and the second does. Guards may be nested and may live in
/// several threads at once: the first to come installs the handler, the last to go puts the former one back, and all of
/// them see the same Ctrl-C. Where SIGINT is ignored (nohup, background jobs of a script) it stays ignored.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  /// Whether Ctrl-C was pressed since the first of the guards alive now was made.
  bool interrupted() const;
};

}  // namespace cornu
