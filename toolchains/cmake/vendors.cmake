# Third-party libraries, each as one interface target, all SYSTEM. The agent links static archives of
# what it uses, the backend the distribution's shared libraries; libwebsockets is built here for both
# (own_libwebsockets.cmake).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)

# protobuf-lite: headers are common; the archive or the shared library is chosen by the program.
add_library(holdfast_vendor_protobuf_lite INTERFACE)
target_include_directories(holdfast_vendor_protobuf_lite SYSTEM INTERFACE ${Protobuf_INCLUDE_DIRS})
target_link_libraries(holdfast_vendor_protobuf_lite INTERFACE Threads::Threads
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libprotobuf-lite.a,protobuf-lite>)

# mbedTLS ships no pkg-config file on Debian 12.
add_library(holdfast_vendor_mbedtls INTERFACE)
target_link_libraries(holdfast_vendor_mbedtls INTERFACE
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libmbedtls.a,mbedtls>
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libmbedx509.a,mbedx509>
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libmbedcrypto.a,mbedcrypto>)

add_library(holdfast_vendor_sqlite INTERFACE)
target_link_libraries(holdfast_vendor_sqlite INTERFACE
  $<IF:$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>,libsqlite3.a,sqlite3>
  $<$<BOOL:$<TARGET_PROPERTY:HOLDFAST_STATIC>>:m>)

if(HOLDFAST_BACKEND)
  find_package(OpenSSL REQUIRED)
  pkg_check_modules(hiredis REQUIRED IMPORTED_TARGET hiredis)
  find_package(nlohmann_json REQUIRED)
  find_package(CLI11 REQUIRED)
  find_package(tomlplusplus REQUIRED)
  # libev ships no pkg-config file.
  find_library(LIBEV_LIBRARY ev REQUIRED)
  add_library(holdfast_vendor_libev INTERFACE)
  target_link_libraries(holdfast_vendor_libev INTERFACE ${LIBEV_LIBRARY})
endif()
