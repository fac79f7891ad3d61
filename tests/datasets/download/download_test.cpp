#include "cornu/datasets/download/download.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

#include "cornu/core/error.h"
#include "cornu/tests/support/bytes.h"
#include "cornu/tests/support/expect_error.h"
#include "cornu/tests/support/loopback_server.h"
#include "cornu/tests/support/sha256.h"
#include "cornu/tests/support/temporary_folder.h"

namespace cornu {
namespace {

using testing::content;
using testing::error_of;
using testing::LoopbackServer;
using testing::ok;
using testing::sha256;
using testing::TemporaryFolder;

std::string without_length(const std::string& body) { return "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + body; }

std::string redirect(const std::string& to) {
  return "HTTP/1.1 302 Found\r\nLocation: " + to + "\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmove";
}

/// The address of a server that has stopped.
std::string stopped_server() { return LoopbackServer().url("/file"); }

class Download : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!can_download()) GTEST_SKIP() << "built without libcurl";
  }

  DownloadOptions from(std::vector<std::string> urls) const {
    return {.urls = std::move(urls),
            .sha256 = sha256(body),
            .destination = folder / "file",
            .size_limit = 100'000,
            .quiet = true,
            .allow_http_to_loopback = true};
  }
  DownloadOptions options(const std::string& path) const { return from({server.url(path)}); }

  /// Returns the error after the destination's name. The download must fail and leave nothing behind.
  std::string failure(const DownloadOptions& chosen) const {
    const std::string text = error_of<FileError>([&] { download(chosen); });
    EXPECT_TRUE(folder.names().empty()) << "nothing is left, and no temporary file";
    const std::string start = (folder / "file").string() + ": could not be downloaded\n  " + chosen.urls.front() + ": ";
    EXPECT_EQ(text.substr(0, start.size()), start);
    return text.substr(std::min(start.size(), text.size()));
  }

  const std::string body = std::string(50'000, 'x') + "the end";
  const TemporaryFolder folder;
  LoopbackServer server;
};

TEST_F(Download, WritesTheFile) {
  server.answer("/file", ok(body));
  download(options("/file"));
  EXPECT_EQ(content(folder / "file"), body);
  EXPECT_EQ(folder.names(), std::vector<std::string>{"file"});
}

TEST_F(Download, NeedsNoLengthAndReplacesAnOldFile) {
  std::ofstream(folder / "file") << "old";
  server.answer("/file", without_length(body));
  download(options("/file"));
  EXPECT_EQ(content(folder / "file"), body);
}

TEST_F(Download, RejectsAFileWithAnotherHash) {
  const std::string other = body + "!";
  server.answer("/file", ok(other));
  EXPECT_EQ(failure(options("/file")),
            "the 50008 bytes received have the SHA-256 " + sha256(other) + ", expected " + sha256(body));
}

TEST_F(Download, KeepsAnOldFileWhenItFails) {
  std::ofstream(folder / "file") << "old";
  EXPECT_THROW(download(options("/none")), FileError);
  EXPECT_EQ(content(folder / "file"), "old");
  EXPECT_EQ(folder.names().size(), 1u);
}

TEST_F(Download, DetectsAConnectionThatEndsTooEarly) {
  const std::string whole = ok(body);
  server.answer("/file", whole.substr(0, whole.size() - 7));
  EXPECT_EQ(failure(options("/file")),
            "the connection ended too early (transfer closed with 7 bytes remaining to read)");
}

TEST_F(Download, DetectsATruncatedFileByItsHashWithoutALength) {
  server.answer("/file", without_length(body.substr(1)));
  EXPECT_NE(failure(options("/file")).find("the 50006 bytes received have the SHA-256"), std::string::npos);
}

TEST_F(Download, AbortsIfTheFileIsTooLarge) {
  DownloadOptions tight = options("/announced");
  tight.size_limit = 50'006;
  server.answer("/announced", ok(body));
  EXPECT_EQ(failure(tight), "more than the 50006 bytes allowed were sent; the download was aborted");
  tight.urls = {server.url("/unannounced")};
  server.answer("/unannounced", without_length(std::string(5'000'000, 'x')));
  EXPECT_EQ(failure(tight), "more than the 50006 bytes allowed were sent; the download was aborted");
  tight.size_limit = body.size();
  tight.urls = {server.url("/announced")};
  download(tight);  // exactly the size allowed
  EXPECT_EQ(content(folder / "file"), body);
}

TEST_F(Download, LimitsTheBodiesOfRedirectsAndErrors) {
  const std::string page(60'000, 'x');
  const auto answer = [&](const std::string& status, const std::string& length) {
    return "HTTP/1.1 " + status + "\r\nContent-Length: " + length + "\r\nConnection: close\r\n\r\n" + page;
  };
  DownloadOptions small = options("/none");
  small.size_limit = body.size();
  server.answer("/none", answer("404 Not Found", "60000"));
  EXPECT_EQ(failure(small), "the server answered with HTTP status 404");
  small.urls = {server.url("/huge")};
  server.answer("/huge", answer("302 Found\r\nLocation: /file", "1048577"));
  EXPECT_EQ(failure(small), "more than the 1048576 bytes allowed were sent; the download was aborted");
  small.urls = {server.url("/old")};
  server.answer("/old", answer("302 Found\r\nLocation: /file", "60000"));
  server.answer("/file", ok(body));
  download(small);
  EXPECT_EQ(content(folder / "file"), body);
}

TEST_F(Download, ReportsTheHttpStatusOfAnError) {
  EXPECT_EQ(failure(options("/none")), "the server answered with HTTP status 404");
  server.answer("/empty", "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(failure(options("/empty")), "the server answered with HTTP status 204");
}

TEST_F(Download, FollowsARedirect) {
  server.answer("/old", redirect("/new"));
  server.answer("/new", redirect(server.url("/file")));
  server.answer("/file", ok(body));
  download(options("/old"));
  EXPECT_EQ(content(folder / "file"), body);
}

TEST_F(Download, LimitsTheNumberOfRedirects) {
  server.answer("/loop", redirect("/loop"));
  EXPECT_EQ(failure(options("/loop")), "redirected more than 5 times, most recently to " + server.url("/loop"));
  EXPECT_EQ(server.requests().size(), 6u);
}

TEST_F(Download, FollowsRedirectsOnlyToHttps) {
  server.answer("/plain", redirect("http://example.com/file"));
  EXPECT_EQ(failure(options("/plain")), "redirected to http://example.com/file: only https is allowed, not http");
  server.answer("/local", redirect("file:///etc/hostname"));
  EXPECT_EQ(failure(options("/local")), "redirected to file:///etc/hostname: only https is allowed, not file");
}

TEST_F(Download, DoesNotQuoteARedirectThatIsNoUrl) {
  server.answer("/red", redirect("https://\033[31m/file"));
  EXPECT_EQ(failure(options("/red")), "redirected to an invalid URL");
}

TEST_F(Download, AllowsOnlyHttps) {
  server.answer("/file", ok(body));
  DownloadOptions strict = options("/file");
  strict.allow_http_to_loopback = false;
  EXPECT_EQ(failure(strict), "only https is allowed, not http");
  EXPECT_TRUE(server.requests().empty());
  EXPECT_EQ(failure(from({"http://example.com/file"})), "only https is allowed, not http");
  EXPECT_EQ(failure(from({"http://127.0.0.1.example.com/file"})), "only https is allowed, not http");
  EXPECT_EQ(failure(from({"file:///etc/hostname"})), "only https is allowed, not file");
  EXPECT_EQ(failure(from({"no url at all"})), "this is not a URL");
}

TEST_F(Download, TimesOutIfTheServerStopsSending) {
  const std::string whole = ok(body);
  server.answer("/stall", whole.substr(0, 1000), true);
  DownloadOptions impatient = options("/stall");
  impatient.low_speed_time = 1;
  impatient.low_speed_limit = 1'000'000;  // libcurl averages over some seconds: keep the rate far below
  EXPECT_NE(failure(impatient).find("it took too long (Operation too slow"), std::string::npos);
  DownloadOptions hurried = options("/stall");
  hurried.total_timeout = 1;
  EXPECT_NE(failure(hurried).find("it took too long ("), std::string::npos);
}

TEST_F(Download, TriesTheNextMirrorWhenOneFails) {
  server.answer("/file", ok(body));
  download(from({stopped_server(), server.url("/none"), server.url("/file"), server.url("/never_asked")}));
  EXPECT_EQ(content(folder / "file"), body);
  EXPECT_EQ(server.requests(), (std::vector<std::string>{"/none", "/file"}));
}

TEST_F(Download, ReportsTheErrorOfEveryMirror) {
  const std::string text = failure(from({stopped_server(), server.url("/none")}));
  EXPECT_NE(text.find("onnect"), std::string::npos) << text;  // from libcurl's message
  EXPECT_NE(text.find("\n  " + server.url("/none") + ": the server answered with HTTP status 404"), std::string::npos);
}

TEST_F(Download, ReportsProgress) {
  server.answer("/file", ok(body));
  DownloadOptions watched = options("/file");
  DownloadProgress last;
  watched.progress = [&](const DownloadProgress& progress) {
    EXPECT_GT(progress.received, last.received);
    last = progress;
  };
  download(watched);
  EXPECT_EQ(last.received, body.size());
  EXPECT_EQ(last.total, body.size());
}

TEST_F(Download, PropagatesExceptionsOfTheProgressCallback) {
  server.answer("/file", ok(body));
  DownloadOptions watched = options("/file");
  watched.progress = [](const DownloadProgress&) { throw std::runtime_error("enough"); };
  EXPECT_EQ(error_of<std::runtime_error>([&] { download(watched); }), "enough");
  EXPECT_TRUE(folder.names().empty());
}

TEST_F(Download, ReportsAMissingFolderAtOnce) {
  server.answer("/file", ok(body));
  DownloadOptions nowhere = from({server.url("/file"), server.url("/file")});
  nowhere.destination = folder / "none" / "file";
  EXPECT_EQ(error_of<FileError>([&] { download(nowhere); }),
            (folder / "none" / "file").string() + ": cannot create a file in its folder (No such file or directory)");
}

TEST_F(Download, RejectsAnInvalidDestinationBeforeDownloading) {
  std::filesystem::create_directories(folder / "file");
  EXPECT_EQ(error_of<FileError>([&] { download(options("/file")); }),
            (folder / "file").string() + ": this is a folder, a device or a pipe, not a file");
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Download, RejectsInvalidOptions) {
  const auto text = [&](auto change) {
    DownloadOptions changed = options("/file");
    change(changed);
    return error_of<ValueError>([&] { download(changed); });
  };
  EXPECT_EQ(text([](auto& o) { o.urls.clear(); }), "download: no URL was given");
  EXPECT_EQ(text([](auto& o) { o.sha256 = "abc"; }),
            "download: sha256 is \"abc\"; it must be 64 digits of 0-9 and a-f");
  EXPECT_EQ(text([](auto& o) { o.destination.clear(); }), "download: destination \"\" is not a file name");
  EXPECT_EQ(text([](auto& o) { o.size_limit = 0; }), "download: size_limit is 0; it must be from 1 to 2^62");
  EXPECT_EQ(text([](auto& o) { o.max_redirects = -1; }), "download: max_redirects is -1; it cannot be negative");
  const std::string time_limit = "download: a time limit is not positive, or longer than a week";
  EXPECT_EQ(text([](auto& o) { o.total_timeout = 0; }), time_limit);
  EXPECT_EQ(text([](auto& o) { o.total_timeout = std::numeric_limits<double>::infinity(); }), time_limit);
  EXPECT_EQ(text([](auto& o) { o.low_speed_time = std::numeric_limits<long>::max(); }), time_limit);
}

TEST(DownloadWithoutLibcurl, IsReported) {
  if (can_download()) GTEST_SKIP() << "built with libcurl";
  const TemporaryFolder folder;
  const DownloadOptions options{
      .urls = {"https://example.com/file"}, .sha256 = sha256(""), .destination = folder / "file"};
  EXPECT_EQ(error_of<FileError>([&] { download(options); }),
            (folder / "file").string() +
                ": could not be downloaded\n  https://example.com/file: this Cornu was built without libcurl, which "
                "downloads need");
  EXPECT_TRUE(folder.names().empty());
}

/// Redirects standard error during its lifetime.
class StandardError {
 public:
  explicit StandardError(int descriptor) : former_(::fcntl(STDERR_FILENO, F_DUPFD, 10)) {
    ::dup2(descriptor, STDERR_FILENO);
  }
  ~StandardError() {
    ::dup2(former_, STDERR_FILENO);
    ::close(former_);
    std::clearerr(stderr);
  }
  StandardError(const StandardError&) = delete;
  StandardError& operator=(const StandardError&) = delete;

 private:
  int former_;
};

/// A pseudo terminal; slave is -1 if there are none.
struct Terminal {
  int master = posix_openpt(O_RDWR | O_NOCTTY), slave = -1;
  Terminal() {
    if (master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0) {
      slave = ::open(ptsname(master), O_RDWR | O_NOCTTY);
    }
  }
  ~Terminal() {
    hang_up();
    ::close(slave);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  void hang_up() {
    if (master >= 0) ::close(std::exchange(master, -1));
  }
};

TEST_F(Download, ContinuesIfProgressCannotBeShown) {
  server.answer("/file", ok(body));
  DownloadOptions shown = options("/file");
  shown.quiet = false;
  const auto expect_done = [&](int descriptor) {
    {
      const StandardError other(descriptor);
      download(shown);
    }
    EXPECT_EQ(content(folder / "file"), body);
    EXPECT_EQ(folder.names(), std::vector<std::string>{"file"}) << "no temporary file is left";
    std::filesystem::remove(folder / "file");
  };
  // As if standard error were closed. It must not be: the next socket, the server's perhaps, would get its number.
  if (const int unwritable = ::open("/dev/null", O_RDONLY); unwritable >= 0) {
    expect_done(unwritable);
    ::close(unwritable);
  }
  if (const int full = ::open("/dev/full", O_WRONLY); full >= 0) {
    expect_done(full);
    ::close(full);
  }
  Terminal terminal;
  if (terminal.slave < 0) GTEST_SKIP() << "there are no terminals here";
  terminal.hang_up();
  expect_done(terminal.slave);
  // A failed download still throws.
  server.answer("/other", ok("another file"));
  DownloadOptions failing = options("/other");
  failing.quiet = false;
  const StandardError other(terminal.slave);
  EXPECT_NE(failure(failing).find("have the SHA-256"), std::string::npos);
}

TEST_F(Download, OverwritesOneProgressLineExceptOnADumbTerminal) {
  const Terminal terminal;
  if (terminal.slave < 0) GTEST_SKIP() << "there are no terminals here";
  server.answer("/file", ok(body));
  const char* const term = std::getenv("TERM");
  const std::string former = term == nullptr ? "" : term;
  const auto shown_on = [&](const char* kind) {
    setenv("TERM", kind, 1);
    DownloadOptions shown = options("/file");
    shown.quiet = false;
    shown.destination = folder / "a\nb";
    {
      const StandardError other(terminal.slave);
      download(shown);
    }
    ::fcntl(terminal.master, F_SETFL, O_NONBLOCK);  // reads until it is empty
    std::string text;
    char piece[1000];
    for (ssize_t count = 0; (count = ::read(terminal.master, piece, sizeof piece)) > 0;) {
      text.append(piece, static_cast<std::size_t>(count));
    }
    return text;
  };
  const std::string smart = shown_on("xterm"), dumb = shown_on("dumb");
  term == nullptr ? unsetenv("TERM") : setenv("TERM", former.c_str(), 1);
  EXPECT_TRUE(smart.starts_with("\ra\\u000ab: 0.")) << smart;
  EXPECT_TRUE(smart.ends_with("0.1 of 0.1 MB\033[K\r\n")) << smart;
  EXPECT_TRUE(dumb.starts_with("a\\u000ab: 0.")) << dumb;
  EXPECT_TRUE(dumb.ends_with("0.1 of 0.1 MB\r\n")) << dumb;
  EXPECT_EQ(dumb.find('\033'), std::string::npos);
}

}  // namespace
}  // namespace cornu
