# Finds libhdf5's C interface and defines the target LibHDF5::LibHDF5.
# Also installed next to cornuConfig.cmake, which needs it for linking Cornu's static library.
#
# CMake's own FindHDF5 runs HDF5's compiler wrappers, which are part of another package and may be those of MPI.
find_path(LIBHDF5_INCLUDE_DIR hdf5.h PATH_SUFFIXES hdf5/serial)
find_library(LIBHDF5_LIBRARY NAMES hdf5_serial hdf5 PATH_SUFFIXES hdf5/serial)
mark_as_advanced(LIBHDF5_INCLUDE_DIR LIBHDF5_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibHDF5 REQUIRED_VARS LIBHDF5_LIBRARY LIBHDF5_INCLUDE_DIR
  REASON_FAILURE_MESSAGE "Cornu reads Keras's files with libhdf5: libhdf5-dev on Debian.")

if(LibHDF5_FOUND AND NOT TARGET LibHDF5::LibHDF5)
  add_library(LibHDF5::LibHDF5 UNKNOWN IMPORTED)
  # The same names in HDF5 1.10 and later.
  set_target_properties(LibHDF5::LibHDF5 PROPERTIES IMPORTED_LOCATION ${LIBHDF5_LIBRARY}
                                                    INTERFACE_INCLUDE_DIRECTORIES ${LIBHDF5_INCLUDE_DIR}
                                                    INTERFACE_COMPILE_DEFINITIONS H5_USE_110_API)
endif()
