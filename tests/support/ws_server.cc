#include "tests/support/ws_server.h"

#include <array>
#include <fstream>
#include <iterator>
#include <regex>

#include <sys/wait.h>
#include <unistd.h>

#include "common/base/check.h"

namespace holdfast::test {

WsServer::WsServer() {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  HF_CHECK(pipe(in.data()) == 0 && pipe(out.data()) == 0);
  child_ = fork();
  HF_CHECK(child_ >= 0);
  if (child_ == 0) {
    dup2(in[0], 0);
    dup2(out[1], 1);
    for (const int fd : {in[0], in[1], out[0], out[1]}) close(fd);
    execlp("python3", "python3", "-W", "ignore", HOLDFAST_WS_SERVER, nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  stdin_ = in[1];
  std::string line;
  char byte = 0;
  while (read(out[0], &byte, 1) == 1 && byte != '\n') line.push_back(byte);
  close(out[0]);
  const std::regex entry("\"(\\w+)\": (?:\"([^\"]*)\"|(\\d+))");
  for (std::sregex_iterator it(line.begin(), line.end(), entry), end; it != end; ++it) {
    if ((*it)[3].matched) ports_[(*it)[1]] = std::stoi((*it)[3]);
    if ((*it)[1] == "ca") {
      std::ifstream file((*it)[2].str());
      ca_pem_.assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  HF_CHECK(ports_.count("plain") == 1 && !ca_pem_.empty());
}

WsServer::~WsServer() {
  close(stdin_);
  waitpid(child_, nullptr, 0);
}

std::string WsServer::Url(const std::string& name, const std::string& host) const {
  return (name == "plain" ? "ws://" : "wss://") + host + ":" + std::to_string(ports_.at(name));
}

}  // namespace holdfast::test
