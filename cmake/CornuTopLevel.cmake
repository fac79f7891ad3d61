# Settings for all targets, used only if Cornu is the top-level project.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug, RelWithDebInfo" FORCE)
endif()

# -O3 peels and unrolls every vectorized loop, which makes the library 1.5 times as large and no faster.
string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")

set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(CORNU_SANITIZE)
  add_compile_options(-fsanitize=${CORNU_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${CORNU_SANITIZE})
endif()

# ccache hashes paths relative to the checkout, so that a second clone shares the first one's cache.
if(NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  find_program(CORNU_CCACHE ccache)
  if(CORNU_CCACHE)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_CURRENT_SOURCE_DIR}
                                    CCACHE_NOHASHDIR=1 ${CORNU_CCACHE})
  endif()
endif()
