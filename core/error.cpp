#include "cornu/core/error.h"

#include <fmt/args.h>
#include <fmt/format.h>

#include "cornu/core/text/printable.h"

namespace cornu::detail {

std::string format_message(std::string_view format, std::initializer_list<MessageArgument> arguments) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (const MessageArgument& argument : arguments) {
    switch (argument.kind) {
      case MessageArgument::Kind::integer:
        store.push_back(argument.integer);
        break;
      case MessageArgument::Kind::natural:
        store.push_back(argument.natural);
        break;
      case MessageArgument::Kind::boolean:
        store.push_back(argument.natural != 0);
        break;
      case MessageArgument::Kind::single:  // as a float: 0.1f converted to double would print as 0.100000001...
        store.push_back(static_cast<float>(argument.real));
        break;
      case MessageArgument::Kind::real:
        store.push_back(argument.real);
        break;
      case MessageArgument::Kind::text:
        store.push_back(printable(argument.text));  // may be a name from a file
        break;
    }
  }
  return fmt::vformat(format, store);
}

}  // namespace cornu::detail
