// The command line program `cornu`: inspects, converts, runs and evaluates models. Its manual is cornu.1.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "cornu/core/text/printable.h"
#include "cornu/core/text/write_text.h"
#include "cornu/tool/commands.h"
#include "cornu/tool/option_names.h"

namespace {

using namespace cornu;

enum Status { done = 0, failed = 1, misused = 2 };

using detail::LineBreaks;

/// Opens /dev/null for standard streams that are closed, so that no other file gets their descriptors and is written to
/// by mistake. The access mode is reversed: reading and writing the stream still fail.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

/// Prints an error. A failure to print does not change the status.
int complain(Status status, std::string_view what) noexcept {
  try {
    detail::write_text(stderr, fmt::format("cornu: {}\n", detail::printable(what, LineBreaks::kept)));
  } catch (...) {  // no memory for the text
  }
  return status;
}

/// Prints the result. A closed pipe, as by `head`, fails silently; a full disk is an error.
int print(std::string_view result) {
  const std::string text = detail::printable(result, LineBreaks::kept);
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return done;
  if (errno == EPIPE) return failed;
  return complain(failed, fmt::format("standard output: {}", std::strerror(errno)));
}

/// CLI11's "--output: 1 required TEXT missing" without the name of its type.
std::string in_words(std::string text) {
  const std::size_t at = text.find(": 1 required ");
  if (at != std::string::npos && text.ends_with(" missing")) text.replace(at, std::string::npos, " requires a value");
  return text;
}

int run(int argc, char** argv) {
  CLI::App app("Inspects, converts, runs and evaluates neural networks", "cornu");
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "cornu " CORNU_VERSION);
  tool::Info info;
  tool::Convert convert;
  tool::Predict predict;
  tool::Run run;
  tool::Evaluate evaluate;
  std::string text;
  const auto add = [&](auto& command, const char* name, const char* description) {
    CLI::App& sub = *app.add_subcommand(name, description);
    command.declare(sub);
    sub.callback([&] { text = command.run(); });
  };
  add(info, "info", "Shows the contents of a model or array file");
  add(convert, "convert", "Converts a model or arrays to another format");
  add(predict, "predict", "Prints a model's predictions, one line per sample");
  add(run, "run", "Runs an ONNX model with inputs and outputs by name");
  add(evaluate, "evaluate", "Prints the loss and metrics of a model on labelled data");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    std::ostringstream answer;
    app.exit(asked, answer);
    return print(answer.str());
  } catch (const CLI::ParseError& error) {
    return complain(misused, fmt::format("{}\nTry 'cornu --help' for more.", in_words(error.what())));
  }
  if (app.get_subcommands().empty()) return complain(misused, "a command is required; 'cornu --help' lists them");
  return print(text);
}

}  // namespace

int main(int argc, char** argv) try {
  occupy_standard_streams();
  std::signal(SIGXFSZ, SIG_IGN);  // exceeding the file size limit is then an error, like a full disk
  return run(argc, argv);
} catch (const tool::UsageError& error) {
  return complain(misused, error.what());
} catch (const std::exception& error) {
  return complain(failed, tool::with_option_names(error.what()));
}
