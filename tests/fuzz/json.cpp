#include <string>

#include "cornu/formats/json.h"
#include "cornu/tests/fuzz/fuzz.h"

using namespace cornu;

int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Json json;
  // 64 bytes for each value, of which a text has one for each two of its bytes, and lists that grow.
  if (!fuzz::reads(fuzz::most_memory(size), [&] { json = parse_json(text); })) return 0;
  const std::string written = to_string(json);
  const Json again = parse_json(written);
  fuzz::check(again == json, "what is written is read again");
  fuzz::check(to_string(again) == written, "and written as the same text");
  return 0;
}
