#include "cornu/tests/support/paths.h"

namespace cornu::testing {

std::string source_path(const std::string& relative) { return CORNU_SOURCE_DIR "/" + relative; }

std::string compiler() { return CORNU_CXX; }

}  // namespace cornu::testing
