// SocketRows: every socket that a process holds, or one process's; rows of process_open_sockets.
//
// /proc/PID/fd says which process holds which socket, /proc/PID/net of one process of each network
// namespace says what each socket is. A socket that several descriptors share gives a row for each.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/tables/table.h"

namespace holdfast::agent {

struct SocketFact {
  std::int64_t pid = -1;  // -1: of a process that we may not look into, or of nobody any more
  std::int64_t fd = -1;
  std::uint64_t inode = 0;
  int family = 0;
  int protocol = 0;
  std::string local_address;
  std::string remote_address;
  int local_port = 0;
  int remote_port = 0;
  std::string path;
  std::string_view state;  // TCP only
  std::uint64_t net_namespace = 0;
};

class SocketWalk {
 public:
  SocketWalk(const Request& request, std::size_t pid_column, Machine& machine);
  bool Next(SocketFact& socket);

 private:
  struct Holder {
    std::int64_t pid;
    std::int64_t fd;
  };
  void FindHolders(std::int64_t pid);
  bool NextFile();
  bool ParseLine(std::string_view line, SocketFact& socket) const;

  Machine& machine_;
  bool one_pid_;
  std::unordered_map<std::uint64_t, std::vector<Holder>> holders_;  // by socket inode
  std::map<std::uint64_t, std::int64_t> namespaces_;                // to one process inside each
  std::map<std::uint64_t, std::int64_t>::const_iterator next_namespace_;
  std::uint64_t namespace_ = 0;
  std::size_t next_file_ = 0;  // of kNetFiles
  std::size_t file_ = 0;
  std::string text_;
  std::string_view rest_;  // of text_
  SocketFact current_;
  const std::vector<Holder>* pending_ = nullptr;  // further holders of current_
  std::size_t next_pending_ = 0;
};

}  // namespace holdfast::agent
