# The agent's own libwebsockets: static, small, with mbedTLS. Why the distribution's will not do:
# docs/decisions/0011-agent-libwebsockets.md.
#
# Target holdfast_agent_lws. The source is the distribution's own package, fetched on first use into
# build/sources (toolchains/fetch_libwebsockets.sh), or whatever HOLDFAST_AGENT_LWS_SOURCE names.
# Nothing is built or fetched until something of the agent that needs it is built.
include(ExternalProject)
set(HOLDFAST_AGENT_LWS_SOURCE "" CACHE PATH
  "libwebsockets source tree for the agent; empty = the distribution's source package")

if(HOLDFAST_AGENT_LWS_SOURCE)
  set(lws_source ${HOLDFAST_AGENT_LWS_SOURCE})
  set(lws_fetch "")
  set(lws_patch "")
  if(NOT EXISTS ${lws_source}/CMakeLists.txt)
    message(FATAL_ERROR "HOLDFAST_AGENT_LWS_SOURCE: ${lws_source} holds no CMakeLists.txt")
  endif()
else()
  set(lws_source ${PROJECT_SOURCE_DIR}/build/sources/libwebsockets)
  set(lws_fetch ${PROJECT_SOURCE_DIR}/toolchains/fetch_libwebsockets.sh)
  # The wrapper around mbedTLS cuts every write into TLS records of 1460 bytes. Whole records (16 KiB)
  # took an upload of 268 MB from 184,000 writes and 370,000 reads to a tenth.
  set(lws_patch sed -i "s/^#define SSL_SEND_DATA_MAX_LENGTH 1460$/#define SSL_SEND_DATA_MAX_LENGTH 16384/"
    ${lws_source}/lib/tls/mbedtls/wrapper/library/ssl_lib.c)
endif()

set(lws_prefix ${PROJECT_BINARY_DIR}/agent_lws)
set(lws_archive ${lws_prefix}/lib/libwebsockets.a)
file(MAKE_DIRECTORY ${lws_prefix}/include)
set(lws_pass)
foreach(variable CMAKE_C_COMPILER CMAKE_C_COMPILER_LAUNCHER CMAKE_TOOLCHAIN_FILE CMAKE_AR CMAKE_RANLIB)
  if(${variable})
    list(APPEND lws_pass -D${variable}=${${variable}})
  endif()
endforeach()

ExternalProject_Add(agent_libwebsockets
  SOURCE_DIR ${lws_source}
  PREFIX ${lws_prefix}/work
  INSTALL_DIR ${lws_prefix}
  DOWNLOAD_COMMAND "${lws_fetch}"
  PATCH_COMMAND "${lws_patch}"
  UPDATE_COMMAND ""
  EXCLUDE_FROM_ALL ON
  LOG_CONFIGURE ON LOG_BUILD ON LOG_INSTALL ON LOG_OUTPUT_ON_FAILURE ON
  BUILD_BYPRODUCTS ${lws_archive}
  CMAKE_ARGS ${lws_pass}
    -DCMAKE_INSTALL_PREFIX=${lws_prefix} -DCMAKE_INSTALL_LIBDIR=lib
    -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_POSITION_INDEPENDENT_CODE=ON
    "-DCMAKE_C_FLAGS=-ffunction-sections -fdata-sections -fstack-protector-strong -fno-asynchronous-unwind-tables -ffile-prefix-map=${lws_source}/=lws/ -w"
    # -O2: it masks every byte that goes out in a loop of its own.
    "-DCMAKE_C_FLAGS_MINSIZEREL=-O2 -DNDEBUG -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
    -DDISABLE_WERROR=ON
    # What it is: one client, WebSocket over HTTP/1.1, TLS by mbedTLS, default poll loop.
    -DLWS_WITH_MBEDTLS=ON -DLWS_WITH_STATIC=ON -DLWS_WITH_SHARED=OFF -DLWS_IPV6=ON
    # What it is not. No h2, no extension: also what the server could ask for is not there.
    -DLWS_WITH_HTTP2=OFF -DLWS_WITHOUT_EXTENSIONS=ON -DLWS_WITH_ZLIB=OFF -DLWS_WITHOUT_DAEMONIZE=ON
    -DLWS_UNIX_SOCK=OFF -DLWS_WITH_UNIX_SOCK=OFF -DLWS_CLIENT_HTTP_PROXYING=OFF
    -DLWS_WITH_HTTP_BASIC_AUTH=OFF -DLWS_WITH_SYS_SMD=OFF -DLWS_WITH_UDP=OFF -DLWS_WITH_LEJP=OFF
    -DLWS_WITH_LWSAC=OFF -DLWS_WITH_DIR=OFF -DLWS_WITH_EVLIB_PLUGINS=OFF -DLWS_WITH_PLUGINS=OFF
    -DLWS_WITH_NO_LOGS=OFF -DLWS_WITH_SECURE_STREAMS=OFF -DLWS_WITH_NETLINK=OFF
    -DLWS_WITH_TLS_SESSIONS=OFF -DLWS_HAVE_LIBCAP=0 -DLWS_HAVE_SYS_CAPABILITY_H=0
    -DLWS_WITHOUT_TESTAPPS=ON -DLWS_WITH_MINIMAL_EXAMPLES=OFF -DLWS_WITH_BUNDLED_ZLIB=OFF)

add_library(holdfast_agent_lws INTERFACE)
add_dependencies(holdfast_agent_lws agent_libwebsockets)
target_include_directories(holdfast_agent_lws SYSTEM INTERFACE ${lws_prefix}/include)
target_link_libraries(holdfast_agent_lws INTERFACE ${lws_archive} holdfast_vendor_mbedtls)
# See common/adapters/lws/lws_quiet.cc.
target_link_options(holdfast_agent_lws INTERFACE -Wl,--wrap=__lws_sul_insert_us)
