# The functions that define targets. Each library is built twice: NAME, with CORNU_REAL, and NAME_double.

# Sets language, warnings and floating-point options of a target; only those that consumers need are PUBLIC.
# FRONT: for programs written like a user's, without -Wconversion: a literal 0.1 passed as a float is fine there. They
# are not optimized for sanitizers, which takes a third of their compile time.
function(cornu_target_options target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "FRONT" "" "")
  # Position-independent, so that a static library can be linked into a plugin, a Python module or a JNI library.
  set_target_properties(${target} PROPERTIES CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON CXX_EXTENSIONS OFF
                                             POSITION_INDEPENDENT_CODE ON)
  # No -ffast-math: it breaks isnan, and NaN must propagate. These two options are safe and let loops vectorize.
  # No library interposes Cornu's functions, so g++ may inline them despite -fPIC.
  target_compile_options(${target} PRIVATE -fno-math-errno -fno-trapping-math -fno-semantic-interposition
    -Wall -Wextra -Wpedantic -Wshadow $<$<NOT:$<BOOL:${arg_FRONT}>>:-Wconversion>
    # Loop optimizations of -O3, enabled for -O2: vectorize where it pays, and move conditions out of loops.
    $<$<CXX_COMPILER_ID:GNU>:-fvect-cost-model=dynamic> $<$<CXX_COMPILER_ID:GNU>:-funswitch-loops>
    # g++ 12 warns that a moved std::variant is uninitialised (GCC bug 105593)
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>  # false positives of g++ 12 for std::string + char* (GCC bug 105651)
    $<$<BOOL:${CORNU_WERROR}>:-Werror>)
  if(CORNU_SANITIZE AND arg_FRONT)
    target_compile_options(${target} PRIVATE -O0)
  endif()
endfunction()

# Usage requirements of a library target, in the build tree and installed.
function(cornu_usage target real)
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  if(real STREQUAL double)
    target_compile_definitions(${target} PUBLIC CORNU_REAL_DOUBLE)
  endif()
endfunction()

# cornu_folder(NAME [OPTIMIZE option] [FUSED] [LINKS target...] [INCLUDES target...] [INCLUDE_DIRS folder...] [DEFINES macro...])
# Defines an object library from the .cpp files of NAME and its subfolders, except those of subfolders declared before:
# a subfolder with rules of its own comes first.
# OPTIMIZE: replaces -O2 in release builds. FUSED: allows fused multiply-add. These are options of folders, not of files,
# so that a new file gets them, too.
# INCLUDES, INCLUDE_DIRS: headers that are not dependencies of the library's users.
function(cornu_folder name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "FUSED" "OPTIMIZE" "LINKS;INCLUDES;INCLUDE_DIRS;DEFINES")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  get_property(declared GLOBAL PROPERTY cornu_declared_sources)
  list(REMOVE_ITEM sources ${declared} "")
  set_property(GLOBAL APPEND PROPERTY cornu_declared_sources ${sources})
  string(REPLACE / _ target_name cornu_${name})
  foreach(suffix IN ITEMS "" _double)
    set(target ${target_name}${suffix})
    add_library(${target} OBJECT ${sources})
    cornu_target_options(${target})
    cornu_compile_in_batches(${target})
    if(arg_OPTIMIZE)
      target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:${arg_OPTIMIZE}>)
    endif()
    if(NOT arg_FUSED)
      target_compile_options(${target} PRIVATE -ffp-contract=off)
    endif()
    if(suffix)
      cornu_usage(${target} double)
    else()
      cornu_usage(${target} ${CORNU_REAL})
    endif()
    target_link_libraries(${target} PRIVATE ${arg_LINKS})
    foreach(headers IN LISTS arg_INCLUDES)
      target_include_directories(${target} SYSTEM PRIVATE $<TARGET_PROPERTY:${headers},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
    target_include_directories(${target} SYSTEM PRIVATE ${arg_INCLUDE_DIRS})
    target_compile_definitions(${target} PRIVATE ${arg_DEFINES})
    # Programs have their own copies of inline functions, so that the library need not export its copies.
    set_target_properties(${target} PROPERTIES VISIBILITY_INLINES_HIDDEN ON)
    set_property(GLOBAL APPEND PROPERTY cornu_objects${suffix} ${target})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY cornu_links ${arg_LINKS})
endfunction()

# Most of the compile time of a small file is spent on the standard library's headers, which a batch reads once.
function(cornu_compile_in_batches target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ${CORNU_UNITY} UNITY_BUILD_BATCH_SIZE 16)
endfunction()

# cornu_library(NAME REAL float|double): one library of all folders, with the alias cornu::NAME.
function(cornu_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "REAL" "")
  string(REGEX MATCH "_double$" suffix ${name})
  get_property(objects GLOBAL PROPERTY cornu_objects${suffix})
  get_property(links GLOBAL PROPERTY cornu_links)
  list(REMOVE_DUPLICATES links)
  add_library(${name})
  add_library(cornu::${name} ALIAS ${name})
  foreach(object_library IN LISTS objects)
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:${object_library}>)
  endforeach()
  cornu_usage(${name} ${arg_REAL})
  target_link_libraries(${name} PRIVATE ${links})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                                           SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
  # Bind calls within the library directly instead of through the PLT.
  target_link_options(${name} PRIVATE $<$<PLATFORM_ID:Linux>:LINKER:-Bsymbolic-functions>)
  # Within another project, build the library only if something links it. At top level, that holds for cornu_double if
  # neither tests nor an installation use it.
  if(NOT CORNU_INSTALL AND (NOT PROJECT_IS_TOP_LEVEL OR (suffix AND NOT CORNU_TESTS_DOUBLE)))
    set_target_properties(${name} ${objects} PROPERTIES EXCLUDE_FROM_ALL ON)
  endif()
endfunction()

# cornu_find_optional(VARIABLE IF switch PACKAGE name TARGET target WITHOUT text)
# Sets VARIABLE to the target to link, or to nothing if the switch (AUTO, ON or OFF) is off or the package is not found
# with AUTO. If there is nothing to link, prints the text: what is missing, and what does not work without it.
function(cornu_find_optional variable)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "IF;PACKAGE;TARGET;WITHOUT" "")
  set(switch ${${arg_IF}})
  if(switch STREQUAL AUTO)
    find_package(${arg_PACKAGE} QUIET)
  elseif(switch)
    find_package(${arg_PACKAGE} REQUIRED)
  endif()
  if(switch AND TARGET ${arg_TARGET})
    set(${variable} ${arg_TARGET} PARENT_SCOPE)
  else()
    set(${variable} "" PARENT_SCOPE)
    message(STATUS "Cornu: built without ${arg_WITHOUT}")
  endif()
endfunction()

# cornu_component(NAME [LINKS target...] [INCLUDES folder...])
# Defines the separate libraries cornu::NAME, which links cornu::cornu, and cornu::NAME_double from the .cpp files of NAME
# and its subfolders. LINKS and INCLUDES are private.
function(cornu_component name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "LINKS;INCLUDES")
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${name}/*.cpp)
  foreach(suffix IN ITEMS "" _double)
    set(target cornu_${name}${suffix})
    add_library(${target} ${sources})
    add_library(cornu::${name}${suffix} ALIAS ${target})
    cornu_target_options(${target})
    cornu_compile_in_batches(${target})
    target_compile_options(${target} PRIVATE $<$<CONFIG:Release>:-Os>)
    target_link_libraries(${target} PUBLIC cornu${suffix} PRIVATE ${arg_LINKS})
    target_include_directories(${target} SYSTEM PRIVATE ${arg_INCLUDES})
    get_target_property(excluded cornu${suffix} EXCLUDE_FROM_ALL)
    set_target_properties(${target} PROPERTIES EXPORT_NAME ${name}${suffix} VISIBILITY_INLINES_HIDDEN ON
      VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
      EXCLUDE_FROM_ALL ${excluded})
    set_property(GLOBAL APPEND PROPERTY cornu_components ${target})
  endforeach()
endfunction()

# cornu_watched_by_fuzzer(folder...): instruments the folders for libFuzzer's coverage. Other programs link the same
# objects and ignore the instrumentation.
function(cornu_watched_by_fuzzer)
  foreach(name IN LISTS ARGN)
    if(TARGET cornu_${name})
      target_compile_options(cornu_${name} PRIVATE -fsanitize=fuzzer-no-link)
    endif()
  endforeach()
endfunction()
