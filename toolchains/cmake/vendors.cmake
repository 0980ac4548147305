# Third-party libraries, each as one interface target, all SYSTEM. The agent links static archives of
# what it uses, the backend the distribution's shared libraries; libwebsockets is built here for both
# (own_libwebsockets.cmake), SQLite for the agent (own_sqlite.cmake).
if(HOLDFAST_SYSROOT)  # cross.cmake
  # Not link_directories(): CMake takes it for one that the compiler knows.
  add_link_options(-L${HOLDFAST_SYSROOT}/usr/lib/${HOLDFAST_TRIPLET})
endif()
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)

# protobuf-lite: headers are common; the archive or the shared library is chosen by the program.
add_library(holdfast_vendor_protobuf_lite INTERFACE)
target_include_directories(holdfast_vendor_protobuf_lite SYSTEM INTERFACE ${Protobuf_INCLUDE_DIRS})
target_link_libraries(holdfast_vendor_protobuf_lite INTERFACE Threads::Threads
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libprotobuf-lite.a,protobuf-lite>)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "arm")
  # ARMv5 and v6 cannot add to eight bytes in one instruction.
  target_link_libraries(holdfast_vendor_protobuf_lite INTERFACE
    $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libatomic.a,atomic>)
endif()

# mbedTLS ships no pkg-config file on Debian 12.
add_library(holdfast_vendor_mbedtls INTERFACE)
target_link_libraries(holdfast_vendor_mbedtls INTERFACE
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libmbedtls.a,mbedtls>
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libmbedx509.a,mbedx509>
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libmbedcrypto.a,mbedcrypto>)

# nettle: the agent's AES-GCM and P-256 (docs/decisions/0026 and 0050). Without it, mbedTLS's own.
option(HOLDFAST_AGENT_NETTLE "AES-GCM and P-256 by nettle in the agent, if there is a static one" ON)
if(HOLDFAST_AGENT_NETTLE)
  find_path(HOLDFAST_NETTLE_INCLUDE nettle/gcm.h)
  find_library(HOLDFAST_NETTLE_ARCHIVE libnettle.a)
  find_library(HOLDFAST_HOGWEED_ARCHIVE libhogweed.a)  # nettle's public-key half
  find_library(HOLDFAST_GMP_ARCHIVE libgmp.a)
  # 3.8 is the first with AES-GCM by processor instructions that it looks for itself.
  if(HOLDFAST_NETTLE_INCLUDE)
    file(STRINGS ${HOLDFAST_NETTLE_INCLUDE}/nettle/version.h nettle_version
      REGEX "^#define NETTLE_VERSION_M(AJOR|INOR) [0-9]+")
    string(REGEX REPLACE "[^;0-9]" "" nettle_version "${nettle_version}")
    list(JOIN nettle_version "." nettle_version)
  endif()
  if(HOLDFAST_NETTLE_INCLUDE AND HOLDFAST_NETTLE_ARCHIVE AND HOLDFAST_HOGWEED_ARCHIVE AND
     HOLDFAST_GMP_ARCHIVE AND nettle_version VERSION_GREATER_EQUAL 3.8)
    add_library(holdfast_vendor_nettle INTERFACE)
    target_include_directories(holdfast_vendor_nettle SYSTEM INTERFACE ${HOLDFAST_NETTLE_INCLUDE})
    target_link_libraries(holdfast_vendor_nettle INTERFACE
      ${HOLDFAST_HOGWEED_ARCHIVE} ${HOLDFAST_NETTLE_ARCHIVE} ${HOLDFAST_GMP_ARCHIVE})
  else()
    message(WARNING "No static nettle from 3.8 on (package nettle-dev): the agent's TLS and signatures will be several times slower")
  endif()
endif()

if(HOLDFAST_BACKEND)
  find_package(OpenSSL REQUIRED)
  add_library(holdfast_vendor_sqlite INTERFACE)
  target_link_libraries(holdfast_vendor_sqlite INTERFACE sqlite3)
  # The archive where there is one: the shared library's name changes with every release of a distribution (0.14 in Debian
  # 12, 1.1.0 in 13), and one package is for both.
  pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
  pkg_check_modules(libpq REQUIRED IMPORTED_TARGET libpq>=14)  # pipeline mode
  pkg_check_modules(libyaml REQUIRED IMPORTED_TARGET yaml-0.1)
  pkg_check_modules(libpcap REQUIRED IMPORTED_TARGET libpcap)  # its compiler of filters
  pkg_check_modules(libedit REQUIRED IMPORTED_TARGET libedit)
  find_package(ZLIB REQUIRED)
  find_library(HOLDFAST_HIREDIS_ARCHIVE libhiredis.a)
  add_library(holdfast_vendor_hiredis INTERFACE)
  if(HOLDFAST_HIREDIS_ARCHIVE)
    target_include_directories(holdfast_vendor_hiredis SYSTEM INTERFACE ${hiredis_INCLUDE_DIRS})
    target_link_libraries(holdfast_vendor_hiredis INTERFACE ${HOLDFAST_HIREDIS_ARCHIVE})
  else()
    target_link_libraries(holdfast_vendor_hiredis INTERFACE PkgConfig::hiredis)
  endif()
  find_package(nlohmann_json REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(tomlplusplus REQUIRED)
  # libev ships no pkg-config file.
  find_library(LIBEV_LIBRARY ev REQUIRED)
  add_library(holdfast_vendor_libev INTERFACE)
  target_link_libraries(holdfast_vendor_libev INTERFACE ${LIBEV_LIBRARY})
endif()
