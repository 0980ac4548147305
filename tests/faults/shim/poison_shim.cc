// poison_shim: a parser that crashes on certain bytes. LD_PRELOADed into holdfastd; tests only.
//
//   HF_POISON  "ROLE TYPE TEXT[;ROLE TYPE TEXT]": a process with `--role ROLE` dies of SIGSEGV when it parses a
//              protobuf message of that TYPE (holdfast.link.v1.Frame) whose bytes hold TEXT
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <google/protobuf/message_lite.h>

namespace {

struct Poison {
  std::string type;
  std::string text;
};

// Those of this process.
std::vector<Poison> Mine() {
  std::ifstream file("/proc/self/cmdline");
  std::string words{std::istreambuf_iterator<char>(file), {}};
  std::vector<Poison> mine;
  const char* const all = std::getenv("HF_POISON");
  std::istringstream specs(all == nullptr ? "" : all);
  for (std::string spec; std::getline(specs, spec, ';');) {
    std::istringstream fields(spec);
    std::string role;
    Poison poison;
    fields >> role >> poison.type >> poison.text;
    const std::string option = std::string("--role") + '\0' + role + '\0';
    if (words.find(option) != std::string::npos) mine.push_back(poison);
  }
  return mine;
}

}  // namespace

bool google::protobuf::MessageLite::ParseFromArray(const void* data, int size) {
  using Real = bool (*)(MessageLite*, const void*, int);
  static const auto real = reinterpret_cast<Real>(
      dlsym(RTLD_NEXT, "_ZN6google8protobuf11MessageLite14ParseFromArrayEPKvi"));
  static const std::vector<Poison> mine = Mine();
  for (const Poison& poison : mine) {
    if (GetTypeName() == poison.type && memmem(data, static_cast<std::size_t>(size),
                                               poison.text.data(), poison.text.size()) != nullptr) {
      std::raise(SIGSEGV);
    }
  }
  return real(this, data, size);
}
