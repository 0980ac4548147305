#include "backend/fleet/identities.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace holdfast::fleet {
namespace {

constexpr char kKeyWords[] = "HOLDFAST-KEY-v1 agent";
constexpr char kRunning[] = "running";  // first line of the file while a run lasts
constexpr char kStopped[] = "stopped";

Error Failed(const std::string& what, const std::string& path) {
  return Error{Code::kInternal,
               what + " " + path + ": " + std::strerror(errno)};  // NOLINT(concurrency-mt-unsafe)
}

Result<Identity> FromKey(const sign::Crypto& crypto, std::unique_ptr<sign::SigningKey> key) {
  Identity out;
  out.id = sign::AgentIdOf(crypto, key->public_key());
  out.key = std::move(key);
  out.incarnation = crypto.RandomBytes<Nonce16>();
  return out;
}

Result<Identity> ParseLine(const sign::Crypto& crypto, const std::string& line, bool is_current) {
  std::istringstream words(line);
  std::string magic, role, key, incarnation, contact;
  words >> magic >> role >> key >> incarnation >> contact;
  if (magic + " " + role != kKeyWords) return Error{Code::kCorrupt, "not a line of agent keys"};
  HF_ASSIGN_OR_RETURN(const std::string secret, FromBase64Url(key));
  HF_ASSIGN_OR_RETURN(auto signing_key, crypto.LoadKey(secret));
  HF_ASSIGN_OR_RETURN(Identity out, FromKey(crypto, std::move(signing_key)));
  if (!is_current) return out;
  HF_ASSIGN_OR_RETURN(const std::string incarnation_bytes, FromHex(incarnation));
  HF_ASSIGN_OR_RETURN(const std::string contact_bytes, FromHex(contact));
  const auto old_incarnation = Nonce16::From(incarnation_bytes);
  const auto old_contact = Nonce16::From(contact_bytes);
  if (!old_incarnation || !old_contact) return Error{Code::kCorrupt, "an id of the wrong length"};
  out.incarnation = *old_incarnation;
  out.contact = *old_contact;
  return out;
}

}  // namespace

Result<Identities> Identities::Open(const sign::Crypto& crypto, std::string dir, unsigned count) {
  Identities out;
  out.dir_ = std::move(dir);
  if (!out.dir_.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(out.dir_, ignored);
    std::ifstream file(out.dir_ + "/agents");
    std::string line;
    const bool is_current = std::getline(file, line) && line == kStopped;
    while (out.all_.size() < count && std::getline(file, line)) {
      auto identity = ParseLine(crypto, line, is_current);
      if (!identity.ok()) return std::move(identity).error().In("reading " + out.dir_ + "/agents");
      out.all_.push_back(std::move(identity).value());
    }
  }
  while (out.all_.size() < count) {
    HF_ASSIGN_OR_RETURN(auto key, crypto.GenerateKey());
    HF_ASSIGN_OR_RETURN(Identity identity, FromKey(crypto, std::move(key)));
    out.all_.push_back(std::move(identity));
  }
  HF_TRY(out.Write(false));
  return out;
}

Status Identities::Save() const { return Write(true); }

Status Identities::Write(bool is_current) const {
  if (dir_.empty()) return Ok();
  std::string text = std::string(is_current ? kStopped : kRunning) + "\n";
  for (const Identity& identity : all_) {
    text += std::string(kKeyWords) + " " + ToBase64Url(identity.key->secret_for_storage()) + " " +
            identity.incarnation.hex() + " " + identity.contact.hex() + "\n";
  }
  const std::string path = dir_ + "/agents";
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Failed("cannot create", fresh);
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = write(fd, text.data() + done, text.size() - done);
    if (wrote <= 0) break;
    done += static_cast<std::size_t>(wrote);
  }
  const bool synced = fsync(fd) == 0;
  close(fd);
  if (done < text.size() || !synced) return Failed("cannot write", fresh);
  if (rename(fresh.c_str(), path.c_str()) != 0) return Failed("cannot replace", path);
  return Ok();
}

}  // namespace holdfast::fleet
