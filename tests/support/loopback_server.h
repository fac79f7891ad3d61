#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace cornu::testing {

/// A web server on the loopback interface, at a free port. Each path has a complete response, including the status
/// line, which is sent verbatim. Other paths get a 404.
class LoopbackServer {
 public:
  LoopbackServer();
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  /// Sets the response of a path. The connection is closed after it, or kept open without further data if `hold`.
  void answer(const std::string& path, std::string response, bool hold = false);
  /// "http://127.0.0.1:PORT" + path
  std::string url(const std::string& path) const;
  /// The requested paths, in order.
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

/// A valid 200 response with this body.
std::string ok(const std::string& body);

}  // namespace cornu::testing
