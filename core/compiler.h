#pragma once

// What Cornu needs of the compiler and its options. A program without it would get hundreds of errors that do not name
// the cause, or would compile, link and crash. Every header includes this one before it declares anything. Only a
// missing header ends a compilation at once: the #include of a sentence does.

#if !defined(__cpp_concepts) || __cpp_concepts < 201907L
#error "Cornu needs C++20: compile with -std=c++20 or later (CMake: target_compile_features(... cxx_std_20))"
#include <the compilation stops here: see the error above>
#endif
#if !defined(__cpp_rtti) || !defined(__cpp_exceptions)
#error "Cornu needs RTTI and exceptions: compile without -fno-rtti and -fno-exceptions"
#include <the compilation stops here: see the error above>
#endif

namespace cornu::detail {

// Defined by a library that was compiled for the same Real and the same standard containers. Every file of a program
// refers to it: where the two differ, the linker says so, instead of the program corrupting its memory.
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
