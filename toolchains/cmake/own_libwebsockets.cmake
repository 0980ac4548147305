# Holdfast's own builds of libwebsockets: static, and only what is used. One source, three libraries:
#
#   holdfast_agent_lws     with mbedTLS, a client and nothing else
#   holdfast_backend_lws   with OpenSSL, a client: for the SDK
#   holdfast_server_lws    with OpenSSL and libev, a server and nothing else: for gateway and control, whose links
#                          then have no room for what only a client's need
#
# The source is the distribution's own package, fetched on first use into build/sources
# (toolchains/fetch_sources.sh), or whatever HOLDFAST_LWS_SOURCE names; it is tuned in place by
# toolchains/tune_libwebsockets.sh, unless it is yours. Nothing is fetched or built until something
# that needs it is built. Why not the distribution's library: docs/decisions/0011 and 0024.
include(ExternalProject)
set(HOLDFAST_LWS_SOURCE "" CACHE PATH
  "libwebsockets source tree; empty = the distribution's source package")

if(HOLDFAST_AGENT_LWS_SOURCE)
  message(FATAL_ERROR "HOLDFAST_AGENT_LWS_SOURCE is now HOLDFAST_LWS_SOURCE: one source for agent and backend")
endif()
if(HOLDFAST_LWS_SOURCE)
  set(lws_source ${HOLDFAST_LWS_SOURCE})
  set(lws_fetch "")
  set(lws_tune "")
  if(NOT EXISTS ${lws_source}/CMakeLists.txt)
    message(FATAL_ERROR "HOLDFAST_LWS_SOURCE: ${lws_source} holds no CMakeLists.txt")
  endif()
else()
  set(lws_source ${PROJECT_SOURCE_DIR}/build/sources/libwebsockets)
  set(lws_fetch ${PROJECT_SOURCE_DIR}/toolchains/fetch_sources.sh libwebsockets)
  set(lws_tune ${PROJECT_SOURCE_DIR}/toolchains/tune_libwebsockets.sh ${lws_source})
endif()

set(lws_pass)
foreach(variable CMAKE_C_COMPILER CMAKE_C_COMPILER_LAUNCHER CMAKE_TOOLCHAIN_FILE CMAKE_AR CMAKE_RANLIB)
  if(${variable})
    list(APPEND lws_pass -D${variable}=${${variable}})
  endif()
endforeach()

# holdfast_own_lws(<name> <optimisation> <cmake argument>...): holdfast_<name>_lws, to link. What the archive
# stands on is added to holdfast_<name>_lws_archive.
function(holdfast_own_lws name flags)
  set(prefix ${PROJECT_BINARY_DIR}/${name}_lws)
  set(archive ${prefix}/lib/libwebsockets.a)
  file(MAKE_DIRECTORY ${prefix}/include)
  ExternalProject_Add(${name}_libwebsockets
    SOURCE_DIR ${lws_source}
    PREFIX ${prefix}/work
    INSTALL_DIR ${prefix}
    DOWNLOAD_COMMAND "${lws_fetch}"
    PATCH_COMMAND "${lws_tune}"
    UPDATE_COMMAND ""
    EXCLUDE_FROM_ALL ON
    LOG_CONFIGURE ON LOG_BUILD ON LOG_INSTALL ON LOG_OUTPUT_ON_FAILURE ON
    BUILD_BYPRODUCTS ${archive}
    CMAKE_ARGS ${lws_pass}
      -DCMAKE_INSTALL_PREFIX=${prefix} -DCMAKE_INSTALL_LIBDIR=lib
      -DCMAKE_BUILD_TYPE=MinSizeRel -DCMAKE_POSITION_INDEPENDENT_CODE=${CMAKE_POSITION_INDEPENDENT_CODE}
      "-DCMAKE_C_FLAGS=${CMAKE_C_FLAGS} ${HOLDFAST_POSITION} -ffunction-sections -fdata-sections -fstack-protector-strong -ffile-prefix-map=${lws_source}/=lws/ -w"
      "-DCMAKE_C_FLAGS_MINSIZEREL=${flags} -DNDEBUG -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"
      -DDISABLE_WERROR=ON
      # What it is: WebSocket over HTTP/1.1. No h2, no extension: also what a peer could ask for is not there.
      -DLWS_WITH_STATIC=ON -DLWS_WITH_SHARED=OFF -DLWS_IPV6=ON
      -DLWS_WITH_HTTP2=OFF -DLWS_WITHOUT_EXTENSIONS=ON -DLWS_WITH_ZLIB=OFF -DLWS_WITHOUT_DAEMONIZE=ON
      -DLWS_UNIX_SOCK=OFF -DLWS_WITH_UNIX_SOCK=OFF -DLWS_CLIENT_HTTP_PROXYING=OFF
      -DLWS_WITH_HTTP_UNCOMMON_HEADERS=ON  # Server, Retry-After
      -DLWS_WITH_HTTP_BASIC_AUTH=OFF -DLWS_WITH_SYS_SMD=OFF -DLWS_WITH_UDP=OFF -DLWS_WITH_LEJP=OFF
      -DLWS_WITH_LWSAC=OFF -DLWS_WITH_DIR=OFF -DLWS_WITH_EVLIB_PLUGINS=OFF -DLWS_WITH_PLUGINS=OFF
      -DLWS_WITH_NO_LOGS=OFF -DLWS_WITH_SECURE_STREAMS=OFF -DLWS_WITH_NETLINK=OFF
      -DLWS_WITH_TLS_SESSIONS=OFF -DLWS_HAVE_LIBCAP=0 -DLWS_HAVE_SYS_CAPABILITY_H=0
      # Else the commit that this repository happens to be at stands in its version: another program from the same source.
      -DCMAKE_DISABLE_FIND_PACKAGE_Git=ON -DGIT_EXECUTABLE=
      -DLWS_WITHOUT_TESTAPPS=ON -DLWS_WITH_MINIMAL_EXAMPLES=OFF -DLWS_WITH_BUNDLED_ZLIB=OFF
      ${ARGN})
  # As a target, not as a path, so that CMake keeps the vendors behind it in the link.
  if(lws_tune)
    ExternalProject_Add_StepDependencies(${name}_libwebsockets patch
      ${PROJECT_SOURCE_DIR}/toolchains/tune_libwebsockets.sh)
  endif()
  add_library(holdfast_${name}_lws_archive STATIC IMPORTED GLOBAL)
  set_target_properties(holdfast_${name}_lws_archive PROPERTIES IMPORTED_LOCATION ${archive})
  add_library(holdfast_${name}_lws INTERFACE)
  add_dependencies(holdfast_${name}_lws ${name}_libwebsockets)
  target_include_directories(holdfast_${name}_lws SYSTEM INTERFACE ${prefix}/include)
  target_link_libraries(holdfast_${name}_lws INTERFACE holdfast_${name}_lws_archive)
endfunction()

# Small, and C through which nothing throws, which needs no unwind tables (24 KB). It serves
# nobody, reads no file, and what it would log (7: errors, warnings, notices) is never shown.
holdfast_own_lws(agent "-Os -fno-asynchronous-unwind-tables -DLWS_LOGGING_BITFIELD_CLEAR=7"
  -DLWS_WITH_MBEDTLS=ON -DLWS_WITHOUT_SERVER=ON -DLWS_WITH_FILE_OPS=OFF)
target_link_libraries(holdfast_agent_lws_archive INTERFACE holdfast_vendor_mbedtls)
# See common/adapters/lws/lws_quiet.cc and lws_tls_mbedtls.cc.
target_link_options(holdfast_agent_lws INTERFACE
  -Wl,--wrap=__lws_sul_insert_us -Wl,--wrap=mbedtls_ssl_config_defaults)

if(HOLDFAST_BACKEND)
  holdfast_own_lws(backend -O2 -DLWS_WITH_SSL=ON -DLWS_WITH_LIBEV=OFF)
  target_link_libraries(holdfast_backend_lws_archive INTERFACE OpenSSL::SSL OpenSSL::Crypto)
  holdfast_own_lws(server -O2 -DLWS_WITH_SSL=ON -DLWS_WITH_LIBEV=ON -DLWS_WITHOUT_CLIENT=ON)
  target_link_libraries(holdfast_server_lws_archive INTERFACE
    OpenSSL::SSL OpenSSL::Crypto holdfast_vendor_libev)
endif()
