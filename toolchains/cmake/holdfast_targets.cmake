# How Holdfast's own code is compiled, and the only three ways to add a target.
# Third-party code never links holdfast_flags.

# 32-bit ARM's C library has no start code for a static program that can lie anywhere, so the agent lies in one place there,
# and code for any place is longer. The word is needed: the compiler's default is the other (decisions/0117).
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "arm" AND HOLDFAST_SYSROOT)
  set(HOLDFAST_POSITION -fno-pie)
else()
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
  set(HOLDFAST_POSITION)
endif()
add_compile_options(${HOLDFAST_POSITION})
set(CMAKE_CXX_EXTENSIONS OFF)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

add_library(holdfast_flags INTERFACE)
target_compile_features(holdfast_flags INTERFACE cxx_std_20)
target_include_directories(holdfast_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(holdfast_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wnon-virtual-dtor -Wold-style-cast
  -Woverloaded-virtual -Wsuggest-override -Wimplicit-fallthrough
  $<$<BOOL:${HOLDFAST_WERROR}>:-Werror>
  -fvisibility=hidden -fno-common -fstack-protector-strong -ffunction-sections -fdata-sections
  # Same bytes wherever the tree lies; HF_CHECK then names files from the root of the repository.
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
  # ccache with a base_dir names the same files from the build folder. What ships is the same with and without it.
  $<$<CONFIG:Release>:-ffile-prefix-map=../../=>)
target_link_options(holdfast_flags INTERFACE -Wl,-z,relro,-z,now)
if(CMAKE_SIZEOF_VOID_P EQUAL 4)
  # Files above 2 GiB, and directories of file systems with large inode numbers. Not _TIME_BITS=64: what the
  # distribution's libraries put into their structures is of the size that they were built with.
  target_compile_definitions(holdfast_flags INTERFACE _FILE_OFFSET_BITS=64)
endif()

if(HOLDFAST_SANITIZE)
  target_compile_options(holdfast_flags INTERFACE
    -fsanitize=${HOLDFAST_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(holdfast_flags INTERFACE -fsanitize=${HOLDFAST_SANITIZE})
else()
  # Needs an optimiser, and gets in the way of the sanitizers.
  target_compile_options(holdfast_flags INTERFACE
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
endif()

# Up to eight files of a target are compiled as one: the headers are read once for them, and a clean
# build takes a third of the time (decisions/0102). So names in unnamed namespaces must differ within a
# folder; where many small files of one shape share theirs, the library says ALONE.
set(CMAKE_UNITY_BUILD ON CACHE BOOL "Several files of a target are compiled as one")
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)

# holdfast_library(<name> [ALONE] SRCS ... DEPS ...): one folder, one static library. The name is the
# folder: common/link is holdfast_common_link. List the sources; do not glob.
function(holdfast_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ALONE" "" "SRCS;DEPS")
  add_library(${name} STATIC ${arg_SRCS})
  if(arg_ALONE)
    set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  endif()
  target_link_libraries(${name} PUBLIC ${arg_DEPS} PRIVATE holdfast_flags)
  target_include_directories(${name} PUBLIC ${PROJECT_SOURCE_DIR})
  target_compile_features(${name} PUBLIC cxx_std_20)
endfunction()

# holdfast_test(<name> SRCS ... DEPS ... LABEL <kind>): a GoogleTest program; ctest sees each case.
function(holdfast_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL" "SRCS;DEPS")
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} holdfast_flags GTest::gtest_main)
  gtest_discover_tests(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT 60)
endfunction()

# holdfast_fuzz(<name> SRCS ... DEPS ... CORPUS <dir>): the corpus replayed as an ordinary test, or,
# with HOLDFAST_FUZZ, a libFuzzer run that starts from it. The same source either way, so it cannot rot.
function(holdfast_fuzz name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CORPUS" "SRCS;DEPS")
  set(corpus ${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS})
  add_executable(${name} ${arg_SRCS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} holdfast_flags)
  if(HOLDFAST_FUZZ)
    set(found ${CMAKE_CURRENT_BINARY_DIR}/${name}_found)
    file(MAKE_DIRECTORY ${found})
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    add_test(NAME fuzz.${name}
      COMMAND ${name} -max_total_time=${HOLDFAST_FUZZ_SECONDS} ${found} ${corpus})
  else()
    if(NOT TARGET holdfast_fuzz_replay)  # compiled once for all of them
      add_library(holdfast_fuzz_replay OBJECT
        ${PROJECT_SOURCE_DIR}/tests/support/fuzz_replay_main.cc)
      target_link_libraries(holdfast_fuzz_replay PRIVATE holdfast_flags)
    endif()
    target_sources(${name} PRIVATE $<TARGET_OBJECTS:holdfast_fuzz_replay>)
    add_test(NAME fuzz.${name} COMMAND ${name} ${corpus})
  endif()
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz)
endfunction()
