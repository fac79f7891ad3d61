// cornu: models and what they are made of, from the command line. cornu.1 says how it is used.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "cornu/tool/commands.h"

namespace {

using namespace cornu;

enum Status { done = 0, failed = 1, misused = 2 };

/// Names and texts of a file may have characters in them with which a terminal is told what to do. They are written as
/// JSON writes them, so that JSON remains what it is.
std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto code = static_cast<unsigned char>(text[i]);
    bool is_control = (code < 0x20 && code != '\n' && code != '\t') || code == 0x7F;
    if (code == 0xC2 && i + 1 < text.size()) {  // U+0080 to U+00BF in UTF-8, of which the first half are controls
      const auto next = static_cast<unsigned char>(text[i + 1]);
      is_control = next >= 0x80 && next < 0xA0;
      if (is_control) code = next, ++i;
    }
    is_control ? result += fmt::format("\\u{:04x}", code) : result += text[i];
  }
  return result;
}

int complain(Status status, const char* what) {
  fmt::print(stderr, "cornu: {}\n", printable(what));
  return status;
}

/// Whoever reads it may go away at any time, as `head` does; a full disk is an error.
int print(std::string_view result) {
  const std::string text = printable(result);
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return done;
  if (errno == EPIPE) return failed;
  return complain(failed, fmt::format("standard output: {}", std::strerror(errno)).c_str());
}

int run(int argc, char** argv) {
  CLI::App app("Shows, converts, uses and evaluates neural networks", "cornu");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "cornu " CORNU_VERSION);
  tool::Info info;
  tool::Convert convert;
  tool::Predict predict;
  tool::Evaluate evaluate;
  std::string text;
  const auto add = [&](auto& command, const char* name, const char* description) {
    CLI::App& sub = *app.add_subcommand(name, description);
    command.declare(sub);
    sub.callback([&] { text = command.run(); });
  };
  add(info, "info", "Shows what is in a file: a model, or arrays");
  add(convert, "convert", "Writes a model or arrays in another format");
  add(predict, "predict", "Prints what a model makes of samples, a line each");
  add(evaluate, "evaluate", "Prints how good a model is");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream answer;
    app.exit(asked, answer);
    return print(answer.str());
  } catch (const CLI::ParseError& error) {
    return complain(misused, fmt::format("{}\nTry 'cornu --help' for more.", error.what()).c_str());
  }
  if (app.get_subcommands().empty()) return complain(misused, "a command is required; 'cornu --help' lists them");
  return print(text);
}

}  // namespace

int main(int argc, char** argv) try {
  std::signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error like a full disk
  return run(argc, argv);
} catch (const tool::UsageError& error) {
  return complain(misused, error.what());
} catch (const std::exception& error) {
  return complain(failed, error.what());
}
