#include "cornu/core/compiler.h"

namespace cornu::detail {

#ifdef _GLIBCXX_DEBUG
#ifdef CORNU_REAL_DOUBLE
extern const char library_with_real_double_and_glibcxx_debug = 0;
#else
extern const char library_with_real_float_and_glibcxx_debug = 0;
#endif
#elif defined(CORNU_REAL_DOUBLE)
extern const char library_with_real_double = 0;
#else
extern const char library_with_real_float = 0;
#endif

}  // namespace cornu::detail
