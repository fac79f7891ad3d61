#include <algorithm>
#include <string>
#include <string_view>

#include "cornu/models/export_cpp/program.h"

namespace cornu::detail {

namespace {

/// The keywords up to C++20, those of compilers' dialects, and `main`.
constexpr std::string_view keywords =
    " alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class"
    " co_await co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype"
    " default delete do double dynamic_cast else enum explicit export extern false float for friend goto if inline"
    " int linux long main mutable namespace new noexcept not not_eq nullptr operator or or_eq posix private protected"
    " public register reinterpret_cast requires return short signed sizeof static static_assert static_cast struct"
    " switch template this thread_local throw true try typedef typeid typename typeof union unix unsigned using"
    " virtual void volatile wchar_t while xor xor_eq ";

/// C's math functions, which the header's <cmath> declares in the global namespace, also with the suffixes f (`expf`)
/// and l (`expl`). glibc's additional ones, such as `fadd` and `nextup`, are not listed.
constexpr std::string_view mathematics =
    " acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh drem erf erfc exp exp10 exp2 expm1 fabs fdim"
    " finite floor fma fmax fmin fmod fpclassify frexp gamma hypot ilogb isfinite isinf isnan isnormal j0 j1 jn ldexp"
    " lgamma llrint llround log log10 log1p log2 logb lrint lround modf nan nearbyint nextafter nexttoward pow"
    " remainder remquo rint round scalb scalbln scalbn signbit significand sin sincos sinh sqrt tan tanh tgamma trunc"
    " y0 y1 yn ";

/// The most common other functions of C and of Linux, which a program's headers may declare. The list is incomplete:
/// `mkstemp` is missing.
constexpr std::string_view functions =
    " abort abs aligned_alloc alloca asctime assert at_quick_exit atexit atof atoi atol atoll bsearch btowc calloc"
    " clearerr clock ctime difftime div errno exit fclose feof ferror fflush fgetc fgetpos fgets fgetwc fgetws fopen"
    " fprintf fputc fputs fputwc fputws fread free freopen fscanf fseek fsetpos ftell fwide fwprintf fwrite fwscanf"
    " getc getchar getenv gets getwc getwchar gmtime index isalnum isalpha isblank iscntrl isdigit isgraph islower"
    " isprint ispunct isspace isupper iswalnum iswalpha iswblank iswcntrl iswctype iswdigit iswgraph iswlower"
    " iswprint iswpunct iswspace iswupper iswxdigit isxdigit labs ldiv llabs lldiv localeconv localtime longjmp"
    " malloc mblen mbrlen mbrtowc mbsinit mbsrtowcs mbstowcs mbtowc memchr memcmp memcpy memmove memset mktemp mktime"
    " offsetof perror printf putc putchar putenv puts putwc putwchar qsort quick_exit raise rand random realloc"
    " realpath remove rename rewind rindex scanf select setbuf setenv setjmp setlocale setvbuf signal signgam"
    " snprintf sprintf srand srandom sscanf stderr stdin stdout strcat strchr strcmp strcoll strcpy strcspn strerror"
    " strftime strlen strncat strncmp strncpy strpbrk strrchr strspn strstr strtod strtof strtok strtol strtold"
    " strtoll strtoul strtoull strxfrm swprintf swscanf system time tm tmpfile tmpnam tolower toupper towctrans"
    " towlower towupper uint ulong ungetc ungetwc ushort vfprintf vfscanf vfwprintf vfwscanf vprintf vscanf vsnprintf"
    " vsprintf vsscanf vswprintf vswscanf vwprintf vwscanf wcrtomb wcscat wcschr wcscmp wcscoll wcscpy wcscspn"
    " wcsftime wcslen wcsncat wcsncmp wcsncpy wcspbrk wcsrchr wcsrtombs wcsspn wcsstr wcstod wcstof wcstok wcstol"
    " wcstold wcstoll wcstombs wcstoul wcstoull wcsxfrm wctob wctomb wctrans wctype wmemchr wmemcmp wmemcpy wmemmove"
    " wmemset wprintf wscanf BUFSIZ EOF HUGE_VAL INFINITY NAN NULL RAND_MAX ";

bool is_in(std::string_view words, std::string_view name) {
  return words.find(" " + std::string(name) + " ") != std::string_view::npos;
}

bool is_mathematical(std::string_view name) {
  const bool has_suffix = name.ends_with('f') || name.ends_with('l');
  return is_in(mathematics, name) || (has_suffix && is_in(mathematics, name.substr(0, name.size() - 1)));
}

}  // namespace

bool is_free_name(std::string_view name) {
  return !name.empty() && is_cpp_letter(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_cpp_letter(c) || is_cpp_digit(c) || c == '_'; }) &&
         name.find("__") == std::string_view::npos && !is_in(keywords, name) && !is_mathematical(name) &&
         !is_in(functions, name) && !name.ends_with("_t") &&  // such as size_t; POSIX reserves the suffix
         // std, std2 and so on are reserved for the standard library.
         !(name.starts_with("std") && std::all_of(name.begin() + 3, name.end(), is_cpp_digit));
}

}  // namespace cornu::detail
