// PostgresServer: a private PostgreSQL in a directory of its own, on a Unix socket only.
//
// It is what a test's record lives in, so it syncs like a real one (a server with fsync = off is refused). It will not
// run as root: then it is `nobody`'s. One a program; each test takes a schema of its own.
//
// Ownership: owns directory and server; both are gone with it.
// Threading: thread-compatible.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <libpq-fe.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"
#include "tests/support/temp_dir.h"

namespace holdfast::testing {

class PostgresServer {
 public:
  PostgresServer() {
    namespace fs = std::filesystem;
    fs::permissions(dir_.path(), fs::perms::owner_all | fs::perms::others_exec);
    fs::create_directory(dir_ / "pg");
    if (::geteuid() == 0) Must("chown nobody " + dir_ / "pg");
    Must(Prefix() +
         HOLDFAST_POSTGRES_BIN "/initdb -N -A trust -U holdfast -E UTF8 --no-locale -D " + data() +
         " >" + dir_ / "initdb.log" + " 2>&1");
    Start();
  }
  ~PostgresServer() { Stop(); }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  void Start() {
    const std::string command =
        Prefix() + HOLDFAST_POSTGRES_BIN "/postgres -D " + data() +
        " -c listen_addresses= -c shared_buffers=16MB -c unix_socket_directories=" + dir_ / "pg" +
        " >>" + dir_ / "log" + " 2>&1";
    postmaster_ = ::fork();
    HF_CHECK(postmaster_ >= 0);
    if (postmaster_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    constexpr int kTries = 1500;  // 30 s: it syncs its directory after a crash
    for (int i = 0; PQping(url().c_str()) != PQPING_OK; ++i) {
      HF_CHECK(i < kTries);
      ::usleep(20'000);
    }
  }
  // As a crash: nothing is written any more, sessions end where they are.
  void Stop() {
    ::kill(postmaster_, SIGQUIT);
    ::waitpid(postmaster_, nullptr, 0);
  }
  std::string url(const std::string& schema = "public") const {
    return "postgresql://holdfast@/postgres?host=" + dir_ / "pg" + "&options=-csearch_path%3D" +
           schema;
  }

 private:
  std::string data() const { return dir_ / "pg/data"; }
  static std::string Prefix() {
    return ::geteuid() == 0 ? "cd / && exec setpriv --reuid=nobody --regid=nogroup --clear-groups "
                              "--pdeathsig QUIT "
                            : "exec ";
  }
  static int Run(const std::string& command) { return std::system(command.c_str()); }
  static void Must(const std::string& command) { HF_CHECK(Run(command) == 0); }

  TempDir dir_;
  pid_t postmaster_ = -1;
};

}  // namespace holdfast::testing
