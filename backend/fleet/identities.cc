#include "backend/fleet/identities.h"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/fleet/simulation.h"

namespace holdfast::fleet {
namespace {

constexpr char kKeyWords[] = "HOLDFAST-KEY-v1 agent";
constexpr char kRunning[] = "running";  // first line of the file while a run lasts
constexpr char kStopped[] = "stopped";

Error Failed(const std::string& what, const std::string& path) {
  return Error{Code::kInternal, what + " " + path + ": " + std::generic_category().message(errno)};
}

}  // namespace

Status Identities::ParseLine(const std::string& line, bool is_current) {
  std::istringstream words(line);
  std::string magic, role, key, incarnation, contact;
  words >> magic >> role >> key >> incarnation >> contact;
  if (magic + " " + role != kKeyWords) return Error{Code::kCorrupt, "not a line of agent keys"};
  Kept kept;
  HF_ASSIGN_OR_RETURN(kept.secret, FromBase64Url(key));
  HF_ASSIGN_OR_RETURN(const auto signing_key, crypto_->LoadKey(kept.secret));
  Identity identity;
  identity.id = sign::AgentIdOf(*crypto_, signing_key->public_key());
  kept.incarnation = crypto_->RandomBytes<Nonce16>();
  if (is_current) {
    HF_ASSIGN_OR_RETURN(const std::string incarnation_bytes, FromHex(incarnation));
    HF_ASSIGN_OR_RETURN(const std::string contact_bytes, FromHex(contact));
    const auto old_incarnation = Nonce16::From(incarnation_bytes);
    const auto old_contact = Nonce16::From(contact_bytes);
    if (!old_incarnation || !old_contact) return Error{Code::kCorrupt, "an id of the wrong length"};
    kept.incarnation = *old_incarnation;
    identity.contact = *old_contact;
  }
  all_.push_back(identity);
  kept_.push_back(std::move(kept));
  return Ok();
}

Status Identities::Load(const std::string& file, unsigned count) {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(file).parent_path(), ignored);
  std::ifstream lines(file);
  std::string line;
  const bool is_current = std::getline(lines, line) && line == kStopped;
  while (all_.size() < count && std::getline(lines, line)) {
    Status parsed = ParseLine(line, is_current);
    if (!parsed.ok()) return std::move(parsed).error().In("reading " + file);
  }
  return Ok();
}

Result<Identities> Identities::Open(const sign::Crypto& crypto, std::string file, unsigned count) {
  Identities out(crypto);
  out.file_ = std::move(file);
  if (!out.file_.empty()) HF_TRY(out.Load(out.file_, count));
  while (out.all_.size() < count) {
    HF_ASSIGN_OR_RETURN(const auto key, crypto.GenerateKey());
    out.all_.push_back({sign::AgentIdOf(crypto, key->public_key()), {}});
    out.kept_.push_back({key->secret_for_storage(), crypto.RandomBytes<Nonce16>()});
  }
  HF_TRY(out.Write(false));
  return out;
}

Identities Identities::FromSeed(const sign::Crypto& crypto, const Nonce32& seed,
                                std::uint32_t first, unsigned count) {
  Identities out(crypto);
  out.seeded_ = Seeded{seed, crypto.RandomBytes<Nonce32>(), first};
  out.all_.resize(count);
  return out;
}

Result<std::unique_ptr<sign::SigningKey>> Identities::KeyOf(std::size_t index) const {
  if (!seeded_) return crypto_->LoadKey(kept_[index].secret);
  return SimulatedKey(*crypto_, seeded_->seed, seeded_->first + static_cast<std::uint32_t>(index));
}

Nonce16 Identities::IncarnationOf(std::size_t index) const {
  if (!seeded_) return kept_[index].incarnation;
  const Digest digest = crypto_->Sha256(seeded_->run.str() + std::to_string(index));
  return *Nonce16::From(digest.view().substr(0, Nonce16::kSize));
}

Status Identities::Save() const { return Write(true); }

Status Identities::Write(bool is_current) const {
  if (file_.empty()) return Ok();
  std::string text = std::string(is_current ? kStopped : kRunning) + "\n";
  for (std::size_t i = 0; i < all_.size(); ++i) {
    text += std::string(kKeyWords) + " " + ToBase64Url(kept_[i].secret) + " " +
            kept_[i].incarnation.hex() + " " + all_[i].contact.hex() + "\n";
  }
  const std::string fresh = file_ + ".new";
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
  if (rename(fresh.c_str(), file_.c_str()) != 0) return Failed("cannot replace", file_);
  return Ok();
}

}  // namespace holdfast::fleet
