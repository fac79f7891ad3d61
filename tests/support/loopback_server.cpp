#include "cornu/tests/support/loopback_server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace cornu::testing {

LoopbackServer::LoopbackServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 16) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    close(listener_);
    throw std::runtime_error("no port of the loopback can be had");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

LoopbackServer::~LoopbackServer() {
  shutdown(listener_, SHUT_RDWR);  // wakes the thread from accept()
  thread_.join();
  close(listener_);
  for (const int connection : held_) close(connection);
}

void LoopbackServer::answer(const std::string& path, std::string response, bool hold) {
  const std::lock_guard lock(mutex_);
  answers_[path] = {std::move(response), hold};
}

std::string LoopbackServer::url(const std::string& path) const {
  return "http://127.0.0.1:" + std::to_string(port_) + path;
}

std::vector<std::string> LoopbackServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

void LoopbackServer::serve() {
  for (int connection = 0; (connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) serve(connection);
}

void LoopbackServer::serve(int connection) {
  std::string request;
  std::array<char, 4096> buffer{};
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t size = recv(connection, buffer.data(), buffer.size(), 0);
    if (size <= 0) break;
    request.append(buffer.data(), static_cast<std::size_t>(size));
  }
  const std::size_t start = request.find(' ') + 1;  // "GET /path HTTP/1.1"
  const std::string path = request.substr(start, request.find(' ', start) - start);
  Answer answer{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", false};
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(path);
    if (const auto known = answers_.find(path); known != answers_.end()) answer = known->second;
  }
  for (std::string_view rest = answer.response; !rest.empty();) {
    const ssize_t sent = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;  // the client closed the connection
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  if (answer.hold) {
    held_.push_back(connection);
  } else {
    close(connection);
  }
}

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

}  // namespace cornu::testing
