#pragma once

// Checks the compiler and its options. Otherwise a wrong option causes hundreds of errors that do not name the cause,
// or a program that compiles, links and crashes. Every header includes this one before it declares anything.
// #error does not stop g++ and clang; a missing header does, so each #error is followed by an #include that fails.

#if !defined(__cpp_concepts) || __cpp_concepts < 201907L
#error "Cornu needs C++20: compile with -std=c++20 or later (CMake: target_compile_features(... cxx_std_20))"
#include <the compilation stops here: see the error above>
#endif
#if !defined(__cpp_rtti) || !defined(__cpp_exceptions)
#error "Cornu needs RTTI and exceptions: compile without -fno-rtti and -fno-exceptions"
#include <the compilation stops here: see the error above>
#endif

namespace cornu::detail {

// Link-time check: the library defines the symbol for its Real and its standard containers, and every file of a program
// refers to the symbol for its own. A mismatch is a linker error instead of memory corruption.
#ifdef _GLIBCXX_DEBUG
#ifdef CORNU_REAL_DOUBLE
extern const char library_with_real_double_and_glibcxx_debug;
[[gnu::used]] inline const char* const required_library = &library_with_real_double_and_glibcxx_debug;
#else
extern const char library_with_real_float_and_glibcxx_debug;
[[gnu::used]] inline const char* const required_library = &library_with_real_float_and_glibcxx_debug;
#endif
#elif defined(CORNU_REAL_DOUBLE)
extern const char library_with_real_double;
[[gnu::used]] inline const char* const required_library = &library_with_real_double;
#else
extern const char library_with_real_float;
[[gnu::used]] inline const char* const required_library = &library_with_real_float;
#endif

}  // namespace cornu::detail
