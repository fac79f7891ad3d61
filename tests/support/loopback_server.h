#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cornu::testing {

/// A web server on this machine's loopback, at a port that was free, which knows what it was told and no more:
/// every path has an answer, sent as it stands, status line and all. Other paths are answered with 404.
class LoopbackServer {
 public:
  LoopbackServer();
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  /// The connection is closed after the answer, or kept open in silence if `hold`.
  void answer(const std::string& path, std::string response, bool hold = false);
  /// "http://127.0.0.1:PORT" + path
  std::string url(const std::string& path) const;
  /// The paths that were asked for, in order.
  std::vector<std::string> requests() const;

 private:
  struct Answer {
    std::string response;
    bool hold;
  };

  void serve();
  void serve(int connection);

  int listener_;
  int port_;
  mutable std::mutex mutex_;
  std::map<std::string, Answer> answers_;
  std::vector<std::string> requests_;
  std::vector<int> held_;
  std::thread thread_;
};

/// An answer with everything in order.
std::string ok(const std::string& body);

}  // namespace cornu::testing
