#!/bin/sh
# Builds and runs the consumer: consume.sh WAY SOURCE PREFIX WORK CXX CMAKE [COMPONENTS]
# PREFIX holds an installation, with the COMPONENTS ("onnx;keras"), for find_package and pkg_config; WORK is recreated.
set -eu
way=$1 source=$2 prefix=$3 work=$4 cxx=$5 cmake=$6 components=${7:-}
consumer=$source/tests/packaging/consumer
rm -rf "$work"
mkdir -p "$work"

# Loads the plugin twice in one process, as two files, because the same file would be loaded only once.
load_plugin_twice() {
  cp "$work/libplugin.so" "$work/libplugin_again.so"
  "$work/host" "$work/libplugin.so" "$work/libplugin_again.so"
}

configure_and_build() {
  "$cmake" -S "$consumer" -B "$work" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" "$@"
  "$cmake" --build "$work"
}

case $way in
  find_package)
    configure_and_build -DCORNU_FROM=find_package -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_BUILD_TYPE=Release \
      -DCORNU_COMPONENTS="$components"
    "$work/consumer"
    "$work/consumer_double"
    for component in $(echo "$components" | tr ';' ' '); do "$work/consumer_$component"; done
    load_plugin_twice
    ;;
  add_subdirectory)  # shared, to cover that, too; not optimized, to build quickly
    configure_and_build -DCORNU_FROM=add_subdirectory -DCORNU_CHECKOUT="$source" -DBUILD_SHARED_LIBS=ON
    "$work/consumer"
    load_plugin_twice
    ;;
  fetch_content)  # only configured: finding the library is what differs
    "$cmake" -S "$consumer" -B "$work" -G Ninja -DCMAKE_CXX_COMPILER="$cxx" -DCORNU_FROM=FetchContent \
      -DCORNU_CHECKOUT="$source"
    ;;
  pkg_config)
    PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name cornu.pc)")
    export PKG_CONFIG_PATH
    libdir=$(pkg-config --variable=libdir cornu)
    for package in cornu cornu_double; do
      # shellcheck disable=SC2046
      "$cxx" -std=c++20 $(pkg-config --cflags "$package") -c "$consumer/main.cpp" -o "$work/$package.o"
      for static in "" --static; do
        # shellcheck disable=SC2046,SC2086
        "$cxx" "$work/$package.o" -o "$work/$package" $(pkg-config --libs $static "$package")
        LD_LIBRARY_PATH="$libdir" "$work/$package"
      done
    done
    for component in $(echo "$components" | tr ';' ' '); do
      # shellcheck disable=SC2046
      "$cxx" -std=c++20 "$consumer/$component.cpp" -o "$work/$component" \
        $(pkg-config --cflags --libs "cornu_$component")
      LD_LIBRARY_PATH="$libdir" "$work/$component"
    done
    ;;
  *) echo "consume.sh: unknown way '$way'"; exit 2 ;;
esac

# A project that includes Cornu must keep its own flags, and get none of Cornu's tests, examples or install rules.
case $way in
  add_subdirectory | fetch_content)
    commands=$(grep '"command".*consumer/main\.cpp' "$work/compile_commands.json")
    if echo "$commands" | grep -E -- ' -(W|f|O|march)'; then echo "Cornu's flags reached the consumer"; exit 1; fi
    if "$cmake" --build "$work" --target help | grep -E '(^|[ /])(tests_|example_)'; then
      echo "Cornu's tests or examples reached the consumer"; exit 1
    fi
    ;;
esac
