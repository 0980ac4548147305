# What the three cross toolchains share. HOLDFAST_TRIPLET and HOLDFAST_ARCH (Debian's name) are set by the file that includes it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${HOLDFAST_TRIPLET}-gcc)
set(CMAKE_CXX_COMPILER ${HOLDFAST_TRIPLET}-g++)
# toolchains/fetch_sysroot.sh. No --sysroot: the C library comes with the compiler.
set(HOLDFAST_SYSROOT ${CMAKE_CURRENT_LIST_DIR}/../../build/sources/sysroot-${HOLDFAST_ARCH})
get_filename_component(HOLDFAST_SYSROOT ${HOLDFAST_SYSROOT} ABSOLUTE)
set(CMAKE_FIND_ROOT_PATH ${HOLDFAST_SYSROOT} /usr/${HOLDFAST_TRIPLET})
set(CMAKE_LIBRARY_ARCHITECTURE ${HOLDFAST_TRIPLET})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
foreach(language C CXX)
  set(CMAKE_${language}_STANDARD_INCLUDE_DIRECTORIES
    ${HOLDFAST_SYSROOT}/usr/include ${HOLDFAST_SYSROOT}/usr/include/${HOLDFAST_TRIPLET})
endforeach()
