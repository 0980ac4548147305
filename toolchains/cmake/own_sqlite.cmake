# The agent's own build of SQLite: static, without what the agent never uses. The backend has the distribution's.
#
#   holdfast_agent_sqlite      to link
#
# The source is the distribution's own package, fetched on first use into build/sources (toolchains/fetch_sources.sh),
# or whatever HOLDFAST_SQLITE_SOURCE names. What is left out is left out of the grammar too, so the one file that is
# compiled is made here (toolchains/make_sqlite.sh). Every preset has the same options: tests try what ships.
# Why, and what each option brought: docs/decisions/0098.
set(HOLDFAST_SQLITE_SOURCE "" CACHE PATH "SQLite source tree (not the amalgamation); empty = the distribution's source package")

if(HOLDFAST_SQLITE_SOURCE)
  set(sqlite_source ${HOLDFAST_SQLITE_SOURCE})
  set(sqlite_fetch "")
  if(NOT EXISTS ${sqlite_source}/main.mk)
    message(FATAL_ERROR "HOLDFAST_SQLITE_SOURCE: ${sqlite_source} holds no main.mk")
  endif()
else()
  set(sqlite_source ${PROJECT_SOURCE_DIR}/build/sources/sqlite3)
  set(sqlite_fetch COMMAND ${PROJECT_SOURCE_DIR}/toolchains/fetch_sources.sh sqlite3)
endif()
find_program(HOLDFAST_TCLSH tclsh)
if(NOT HOLDFAST_TCLSH)
  message(FATAL_ERROR "tclsh is missing (package tcl): the agent's SQLite is made with it")
endif()

set(sqlite_options
  # As in the distribution's library: what queries in the wild use, and what becomes of deleted rows.
  -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_SOUNDEX -DSQLITE_LIKE_DOESNT_MATCH_BLOBS -DSQLITE_SECURE_DELETE
  # No process of the agent has two threads that ask; none maps a database.
  -DSQLITE_THREADSAFE=0 -DSQLITE_MAX_WORKER_THREADS=0 -DSQLITE_MAX_MMAP_SIZE=0 -DSQLITE_UNTESTABLE
  # What configure would have found.
  -DHAVE_FDATASYNC=1 -DHAVE_GMTIME_R=1 -DHAVE_ISNAN=1 -DHAVE_LOCALTIME_R=1 -DHAVE_PREAD64=1 -DHAVE_PWRITE64=1
  -DHAVE_STRCHRNUL=1 -DHAVE_USLEEP=1)
# Not: ATTACH, VACUUM (with them goes what others call), AUTOINCREMENT (the tests make browsers' databases),
# TRIGGER (the word ROW of window functions goes with it), EXPLAIN (analysts ask for plans), DECLTYPE, PROGRESS_CALLBACK, INTEGRITY_CHECK, SCHEMA_PRAGMAS (used).
foreach(part IN ITEMS
    ANALYZE AUTOVACUUM COMPILEOPTION_DIAGS COMPLETE DEPRECATED DESERIALIZE FOREIGN_KEY GENERATED_COLUMNS GET_TABLE INCRBLOB
    INTROSPECTION_PRAGMAS LOAD_EXTENSION LOOKASIDE REINDEX SCHEMA_VERSION_PRAGMAS SHARED_CACHE TCL_VARIABLE TRACE
    UPSERT UTF16 VIEW XFER_OPT)
  list(APPEND sqlite_options -DSQLITE_OMIT_${part})
endforeach()

set(sqlite_made ${PROJECT_BINARY_DIR}/agent_sqlite)
add_custom_command(OUTPUT ${sqlite_made}/sqlite3.c ${sqlite_made}/sqlite3.h
  ${sqlite_fetch}
  COMMAND ${PROJECT_SOURCE_DIR}/toolchains/make_sqlite.sh ${sqlite_source} ${sqlite_made} ${sqlite_options}
  DEPENDS ${PROJECT_SOURCE_DIR}/toolchains/make_sqlite.sh
  COMMENT "Making the agent's SQLite" VERBATIM)
file(MAKE_DIRECTORY ${sqlite_made})

add_library(holdfast_agent_sqlite STATIC EXCLUDE_FROM_ALL ${sqlite_made}/sqlite3.c)
target_include_directories(holdfast_agent_sqlite SYSTEM INTERFACE ${sqlite_made})
target_compile_options(holdfast_agent_sqlite PRIVATE ${sqlite_options}
  # Small; where nobody measures, soon built. C through which nothing throws needs no unwind tables.
  $<IF:$<CONFIG:Debug>,-O1,-Os> -g0 -w -fno-strict-aliasing -fno-asynchronous-unwind-tables
  -fvisibility=hidden -ffunction-sections -fdata-sections -fstack-protector-strong
  -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -ffile-prefix-map=${sqlite_made}/=sqlite/)
target_link_libraries(holdfast_agent_sqlite INTERFACE m)
