#include <string>

#include "cornu/formats/json.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Json json;
  // A value takes 64 bytes of memory and at least two bytes of text; lists double when they grow.
  if (!fuzz::reads(fuzz::most_memory(size), [&] { json = parse_json(text); })) return 0;
  const std::string written = to_string(json);
  const Json again = parse_json(written);
  fuzz::check(again == json, "what is written is read again");
  fuzz::check(to_string(again) == written, "and written as the same text");
  return 0;
}
