#pragma once

#include <string>
#include <vector>

#include "cornu/formats/file_kind.h"

/// The first bytes of files of every FileKind, as written by the usual programs.
namespace cornu::testing {

struct ForeignFile {
  detail::FileKind kind;
  std::string bytes;
};

/// The local header of a file in a zip archive, with its name.
inline std::string zip_member(const std::string& name) {
  using namespace std::string_literals;
  return "PK\3\4\24\0\0\0\0\0\0\0\x21\0\0\0\0\0\4\0\0\0\4\0\0\0"s + static_cast<char>(name.size()) + "\0\0\0"s + name +
         "\1\2\3\4";
}

inline std::vector<ForeignFile> foreign_files() {
  using detail::FileKind;
  using namespace std::string_literals;
  const std::string pixels(64, '\7');
  return {
      {FileKind::safetensors, "\2\0\0\0\0\0\0\0{}"s},
      {FileKind::safetensors, "\x08\x12\0\0\0\0\0\0{\"a\":{\"dtype\""s},  // truncated; begins like ONNX
      {FileKind::onnx,
       "\x08\x08\x12\x07pytorch\x1a\x06"
       "2.4.0\0\x3a\x7f\x0a\x10"s},
      {FileKind::onnx, "\x08\x0a\x3a\x05\x0a\x03\0\0\0"s},
      {FileKind::npy, "\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"s},
      {FileKind::npz, zip_member("x.npy") + "\x93NUMPY\1\0"s},
      {FileKind::npz, "PK\5\6"s + std::string(18, '\0')},
      {FileKind::idx, "\0\0\x08\1\0\0\0\2\1\2"s},
      {FileKind::csv, "a,b,c\n1,2,3\n"},
      {FileKind::csv,
       "\xef\xbb\xbf"
       "a;b\r\n1,5;2\r\n"},
      {FileKind::png, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"s},
      {FileKind::pgm, "P5\n2 2\n255\n\1\2\3\4"},
      {FileKind::pytorch, zip_member("archive/data.pkl") + "\x80\2ccollections\nOrderedDict\n"},
      {FileKind::pytorch, zip_member("m/.format_version") + zip_member("m/data.pkl")},
      {FileKind::old_pytorch, "\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.\x80\2M\xe9\3."},
      {FileKind::old_pytorch, "\x80\4\x95\x0d\0\0\0\0\0\0\0\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19."s},
      {FileKind::old_pytorch, "sys_info" + std::string(249, '\0') + "ustar"},
      {FileKind::torchscript, zip_member("net/data.pkl") + zip_member("net/constants.pkl")},
      {FileKind::pickle, "\x80\4\x95\x0f\0\0\0\0\0\0\0}"s},
      {FileKind::pickle, "\x80\4K\1."},
      {FileKind::pickle, "\x80\2}q\0X\1\0\0\0aq\1K\1s."s},
      {FileKind::pickle, "(dp0\nVa\np1\nI1\ns."},
      {FileKind::pickle, "(lp1\nI1\naI2\na."},
      {FileKind::pickle, "cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n"},
      {FileKind::pickle, "ccopy_reg\n_reconstructor\np0\n(c__main__\nNet\np1\n"},
      {FileKind::pickle, "cnumpy.core.multiarray\n_reconstruct\nq\0(cnumpy\nndarray\n"s},
      {FileKind::pickle, "}q\0(U\1aq\1K\1u."s},
      {FileKind::keras, zip_member("metadata.json") + zip_member("config.json") + zip_member("model.weights.h5")},
      {FileKind::hdf5, "\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0"s},
      {FileKind::hdf5, std::string(512, '\0') + "\x89HDF\r\n\x1a\n"},
      {FileKind::tensorflow, "\x08\1\x12\x94\x97\1\n\xfc\x15\x12\xe6\x14\n\x17\n\x0f"},
      {FileKind::tensorflow, "\n\x15\n\5input\x12\x0bPlaceholder*\x0b\n\5"},
      {FileKind::core_ml, "\x08\4\x12\xb6\2\n\x16\n\5image\x1a\r\"\x0b"},
      {FileKind::matlab, "MATLAB 5.0 MAT-file, Platform: GLNXA64, Created on: Sun Nov 29 2026" + std::string(57, ' ') +
                             "\0\1IM\x0e\0\0\0"s},
      {FileKind::matlab, "MATLAB 7.3 MAT-file, Platform: GLNXA64" + std::string(474, ' ') + "\x89HDF\r\n\x1a\n"},
      {FileKind::sound, "RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\1\0"s},
      {FileKind::sound, "fLaC\0\0\0\x22"s},
      {FileKind::sound, "OggS\0\2\0\0"s},
      {FileKind::sound, "ID3\3\0\0\0\0\x0f\x76"s},
      {FileKind::pdf, "%PDF-1.7\n%\xb5\xed\xae\xfb\n1 0 obj\n<</Type/Catalog, 1>>\n"},
      {FileKind::arrow, "ARROW1\0\0\xff\xff\xff\xff"s},
      {FileKind::sqlite, "SQLite format 3\0\x10\0\1\1"s},
      {FileKind::lz4, "\4\x22\x4d\x18\x64\x40"},
      {FileKind::seven_zip, "7z\xbc\xaf\x27\x1c\0\4"s},
      {FileKind::rar, "Rar!\x1a\7\1\0"s},
      {FileKind::program,
       "\x7f"
       "ELF\2\1\1\0"s},
      {FileKind::program, "MZ\x90\0\3\0\0\0"s},
      {FileKind::utf32, "\xff\xfe\0\0a\0\0\0,\0\0\0"s},
      {FileKind::utf32, "\0\0\xfe\xff\0\0\0a"s},
      {FileKind::utf16, "a\0,\0b\0\r\0\n\0"s},
      {FileKind::utf16, "\0a\0,\0b\0\n"s},
      {FileKind::bzip2, "BZh9\x17rE8P\x90"},
      {FileKind::csv, "\xe5\x90\x8d,\xe5\x80\xbc"},
      {FileKind::csv, "\xc8\xec\xff;\xc7\xed\xe0\xf7\n"},  // Windows-1251
      {FileKind::tflite, "\x1c\0\0\0TFL3\x14\0\x20\0"s},
      {FileKind::gguf, "GGUF\3\0\0\0"s},
      {FileKind::jpeg, "\xff\xd8\xff\xe0\0\x10JFIF\0"s},
      {FileKind::gif, "GIF89a\1\0\1\0"s},
      {FileKind::webp, "RIFF\x24\0\0\0WEBPVP8 "s},
      {FileKind::bmp, "BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0"s},
      {FileKind::tiff, "II*\0\x08\0\0\0"s},
      {FileKind::git_lfs, "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"},
      {FileKind::html, "\n<!DOCTYPE html>\n<html lang=\"en\"><head><title>404</title></head></html>\n"},
      {FileKind::html, "<html><body>Sign in</body></html>"},
      {FileKind::xml, "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>"},
      {FileKind::json, "{\"error\": \"not found\"}"},
      {FileKind::json, "[\n  {\"a\": 1}\n]\n"},
      {FileKind::utf16,
       "\xff\xfe"
       "a\0,\0b\0\n\0"s},
      {FileKind::utf16, "\xfe\xff\0a\0,\0b\0\n"s},
      {FileKind::excel, zip_member("[Content_Types].xml") + "<?xml"},
      {FileKind::zip, zip_member("readme.txt")},
      {FileKind::gzip, "\x1f\x8b\x08\0\0\0\0\0\0\3\xab\xae\5\0\x43\xbf\xa6\xa3\2\0\0\0"s},  // of {}
      {FileKind::bzip2, "BZh91AY&SY"},
      {FileKind::xz,
       "\xfd"
       "7zXZ\0\0\4"s},
      {FileKind::zstd, "\x28\xb5\x2f\xfd\4\0"s},
      {FileKind::tar, "m.safetensors" + std::string(244, '\0') +
                          "ustar\0"
                          "00"s},
      {FileKind::parquet, "PAR1\x15\4\x15"},
      {FileKind::text, "These are the weights of the model.\n"},
      {FileKind::empty, ""},
  };
}

}  // namespace cornu::testing
