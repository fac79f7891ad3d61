#include "cornu/core/text/write_text.h"

#include <cstdlib>

#if defined(__unix__) || defined(__APPLE__)
#include <signal.h>
#include <unistd.h>
#define CORNU_POSIX
#endif

namespace cornu::detail {

namespace {

/// Blocks SIGPIPE in this thread for its lifetime. By default the signal kills a program that writes to a pipe whose
/// reader has exited.
class WithoutBrokenPipe {
#ifdef CORNU_POSIX
 public:
  WithoutBrokenPipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    was_pending_ = pending();
    pthread_sigmask(SIG_BLOCK, &pipe_, &former_);
  }
  ~WithoutBrokenPipe() {
    int signal = 0;
    if (!was_pending_ && pending()) sigwait(&pipe_, &signal);  // raised by our write: consume it
    pthread_sigmask(SIG_SETMASK, &former_, nullptr);
  }
  WithoutBrokenPipe(const WithoutBrokenPipe&) = delete;
  WithoutBrokenPipe& operator=(const WithoutBrokenPipe&) = delete;

 private:
  static bool pending() {
    sigset_t set;
    sigemptyset(&set);
    sigpending(&set);
    return sigismember(&set, SIGPIPE) == 1;
  }

  sigset_t pipe_, former_;
  bool was_pending_ = false;
#else
 public:
  WithoutBrokenPipe() {}
  ~WithoutBrokenPipe() {}
#endif
};

}  // namespace

bool write_text(std::FILE* out, std::string_view text) noexcept {
  const WithoutBrokenPipe guard;
  return std::fwrite(text.data(), 1, text.size(), out) == text.size() && std::fflush(out) == 0;
}

bool is_terminal(std::FILE* out) noexcept {
#ifdef CORNU_POSIX
  return isatty(fileno(out)) == 1;
#else
  static_cast<void>(out);
  return false;
#endif
}

bool is_smart_terminal(std::FILE* out) noexcept {
  const char* const kind = std::getenv("TERM");
  return is_terminal(out) && (kind == nullptr || std::string_view(kind) != "dumb");
}

}  // namespace cornu::detail
