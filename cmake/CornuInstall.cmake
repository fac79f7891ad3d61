# cmake --install: headers, both libraries, and what find_package and pkg-config read.
include(CMakePackageConfigHelpers)

install(FILES cornu.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cornu)
foreach(folder IN ITEMS core layers optim formats datasets models)
  file(GLOB headers CONFIGURE_DEPENDS ${folder}/*.h)
  install(FILES ${headers} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cornu/${folder})
endforeach()

# Of cornu::onnx what its users need: the rest is how it is made.
if(TARGET cornu_onnx)
  install(FILES onnx/model.h onnx/save.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/cornu/onnx)
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/cornu)
get_property(components GLOBAL PROPERTY cornu_components)
install(TARGETS cornu cornu_double ${components} EXPORT cornuTargets)
install(EXPORT cornuTargets NAMESPACE cornu:: DESTINATION ${package_dir})

# A static library leaves its own libraries to the program that links it; a shared one has them already.
get_target_property(library_type cornu TYPE)
if(library_type STREQUAL STATIC_LIBRARY)
  set(CORNU_IS_STATIC ON)
else()
  set(CORNU_IS_STATIC OFF)
endif()
configure_package_config_file(cmake/cornuConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/cornuConfig.cmake
  INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/cornuConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/cornuConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/cornuConfigVersion.cmake
              cmake/FindCBLAS.cmake cmake/FindLibZip.cmake DESTINATION ${package_dir})

# pkg-config. Paths in a .pc are relative to the file, so that the prefix can move. With a static library its own
# libraries are listed for every link, plain or --static; OpenBLAS, libcurl and libzip by name and not as packages,
# because their packages ask --static for libraries that Debian does not install with them (libgfortran, libnghttp2).
cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_INCLUDEDIR BASE_DIRECTORY ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig
           OUTPUT_VARIABLE PC_INCLUDEDIR)
set(PC_REQUIRES "")
set(PC_LIBS "")
if(CORNU_IS_STATIC)
  set(PC_REQUIRES "fmt zlib")
  cmake_path(GET CBLAS_LIBRARY PARENT_PATH cblas_dir)
  cmake_path(GET CBLAS_LIBRARY STEM cblas_name)
  string(REGEX REPLACE "^lib" "-l" cblas_name ${cblas_name})
  set(PC_LIBS "-L${cblas_dir} ${cblas_name} -pthread")
  if(CORNU_CURL)
    string(APPEND PC_LIBS " -lcurl")
  endif()
  if(CORNU_LIBZIP)
    string(APPEND PC_LIBS " -lzip")
  endif()
endif()
foreach(library IN ITEMS cornu cornu_double)
  get_target_property(definitions ${library} INTERFACE_COMPILE_DEFINITIONS)
  if("CORNU_REAL_DOUBLE" IN_LIST definitions)
    set(PC_DEFINES "-DCORNU_REAL_DOUBLE ")
  else()
    set(PC_DEFINES "")
  endif()
  set(PC_NAME ${library})
  configure_file(cmake/cornu.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
# And of the libraries beside it, each of which brings the library that it is built for.
foreach(component IN LISTS components)
  string(REGEX MATCH "_double$" suffix ${component})
  set(PC_NAME ${component})
  set(PC_REQUIRES cornu${suffix})
  set(PC_DEFINES "")
  set(PC_LIBS "")
  configure_file(cmake/cornu.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${component}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${component}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
