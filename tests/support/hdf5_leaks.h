#pragma once

/// For the leak detector, in one file of a program: libhdf5 1.10 does not free everything after it fails to open a
/// damaged file. Leaks of Cornu's own are still found.
extern "C" const char* __lsan_default_suppressions();                            // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() { return "leak:libhdf5"; }  // NOLINT(bugprone-reserved-identifier)
