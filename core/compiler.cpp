#include "cornu/core/compiler.h"

namespace cornu::detail {

#ifdef _GLIBCXX_DEBUG
#ifdef CORNU_REAL_DOUBLE
extern const char library_with_Real_double_and_GLIBCXX_DEBUG = 0;
#else
extern const char library_with_Real_float_and_GLIBCXX_DEBUG = 0;
#endif
#elif defined(CORNU_REAL_DOUBLE)
extern const char library_with_Real_double = 0;
#else
extern const char library_with_Real_float = 0;
#endif

}  // namespace cornu::detail
