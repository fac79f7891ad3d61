#include "cornu/keras/hdf5_handle.h"

namespace cornu::keras::detail {

std::mutex Hdf5Session::mutex;

Hdf5Session::Hdf5Session() : lock_(mutex) {
  H5Eget_auto2(H5E_DEFAULT, &print_, &print_data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLget_loading_state(&plugins_);
  H5PLset_loading_state(0);
}

Hdf5Session::~Hdf5Session() {
  H5PLset_loading_state(plugins_);
  H5Eset_auto2(H5E_DEFAULT, print_, print_data_);
}

namespace {

// libhdf5 asks these functions for copies of a file's bytes. It only reads the copies, so they may be the bytes
// themselves.

std::span<const std::byte>& image_of(void* data) { return *static_cast<std::span<const std::byte>*>(data); }

void* get_image(std::size_t, H5FD_file_image_op_t, void* data) { return const_cast<std::byte*>(image_of(data).data()); }
void* copy_image(void* to, const void*, std::size_t, H5FD_file_image_op_t, void*) { return to; }
void* grow_image(void*, std::size_t, H5FD_file_image_op_t, void*) { return nullptr; }
herr_t free_image(void*, H5FD_file_image_op_t, void*) { return 0; }
void* copy_data(void* data) { return data; }
herr_t free_data(void*) { return 0; }

}  // namespace

Handle open_image(std::span<const std::byte>& bytes) {
  constexpr const char* what = "the file";
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, what);
  well(H5Pset_fapl_core(access, std::size_t{1} << 16, 0), what);
  well(H5Pset_fclose_degree(access, H5F_CLOSE_STRONG), what);
  H5FD_file_image_callbacks_t image{get_image, copy_image, grow_image, free_image, copy_data, free_data, &bytes};
  well(H5Pset_file_image_callbacks(access, &image), what);
  well(H5Pset_file_image(access, const_cast<std::byte*>(bytes.data()), bytes.size()), what);
  return {H5Fopen("memory", H5F_ACC_RDONLY, access), H5Fclose, what};
}

}  // namespace cornu::keras::detail
